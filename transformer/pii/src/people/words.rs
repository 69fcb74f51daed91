//! How sure it is that a word is a name: languages use many names as words.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::Word;
use super::spell::words;
use crate::kind::Kind;

/// How a known value is looked for, the surest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Rank {
    /// Wherever it stands.
    Sure,
    /// Where its words begin with capitals, because they are words of the language as well: `Will May`.
    Capital,
    /// A part of a name: after a greeting or title and with a capital, `Hi Ann`, `Ms. Lee`.
    Part,
    /// Not at all.
    Never,
}

/// Words that are no name, whoever calls himself so.
const ROLES: &str = "a admin administrator agent all and anonymous api app assistant billing bot client contact company \
    customer customers default delivery demo department desk dev deleted email end example finance feedback for form from \
    front guest hello help helpdesk hr info inc it ltd llc gmbh mail main manager marketing me member my new news newsletter \
    no none noreply nobody of office online operator operations order orders owner partner payments person postmaster \
    private purchasing reception reply root sales security service services shop staff store supplier support system team \
    tech technical test tester testing the ticket to unknown user users vendor visitor web webmaster website work";

/// Words of English, and of business, that people are called by as well; and common words of three letters and more.
const COMMON: &str = "able about account across active adam after again ago air also amber angel angels annual answer any \
    apple april archer are area around art ash aspen august autumn away baker bank banks bar barber bass bay beach bear \
    begin bell best better bill birch bishop black blaze blue bond book booth both bow box brand brandy bridge bright brook \
    brooks brown bush but buy call camp can candy card carol carpenter carter case cash chance change charity chase check \
    chef cherry china christian church city clay clear clerk click close cloud coal coffee cole college colt comfort con \
    cook cooper coral cost could country cox crew cross crystal current daisy data date dawn day days dean dear deep deer \
    delta destiny did dime diamond dick do dolly done don drake draw drew drop duke dusty each earl early east easy eden \
    ember end error even ever every fair faith fall farmer fast father few field file fill find finn first fish fisher flag \
    flora florence flower forest ford forge forrest fox frank free friday frost full garden gardener gay gene general get \
    ginger give glass gold golden good grace grant gray green grey grove guy had hall happy hard has have hazel heart heather \
    heaven henna herb here high hill him his holly home honey hood hope hour house how hunt hunter ice iris iron ivy jack \
    jade jam jasmine jay jean jersey jet job joy jewel july june just justice key kid king kit knight know lake lamb lance \
    land lane large last late laurel law leaf lee left less letter level liberty light like lily line link little live lock \
    london long look lord lot love low lucky made major make mango many maple march margin marina mark market marsh martial \
    mason master matt max may means melody mercy merry messages mike mild mill miller minor mint miss monday money month moon \
    more morning moss most mount mr mrs much name near need never next nice nick night nova now number oak ocean off old \
    olive one only open other our out over own page paint palm paradise paris park part past pat path pay peace pearl penny \
    pepper per phoenix pierce pike place plan plum point pool poppy porter post powers press price pride prince princess \
    problem product prudence quick quill rain ranger raven ray read ready real red reed reef rich right ring river rivers \
    rob robin rock rocky rod rose rosemary round royal ruby rusty sage said sally same sand sandy sat saturday save say \
    scarlet scout season see sell send serenity set seven shall shaw she ship short show side sierra silver since singer \
    six skip sky slow small smith snow so soldier some son song spring star start state stay steel step sterling still \
    stone storm street strong such sue summer sun sunday sunny sure sweet table tailor take tanner taylor ten terry than \
    that their them then there they thing think this three thursday tiger time today too top total town trace trinity true \
    trust tuesday turner two under unity until up use van velvet very victor victory vine violet virginia walker wall want \
    ward was water way we wednesday week weeks well west what wheeler when which white who wild will willow win wind winter \
    with wolf wood woods word world worth would yard year yes yesterday york you young your apps word outlook teams slack \
    chrome safari firefox windows android edge notes sheets docs drive meet zoom echo alexa siri excel access project \
    premium basic plus standard pro lite classic original";

struct Lists {
    common: HashMap<u64, ()>,
    roles: HashMap<u64, ()>,
}

static LISTS: LazyLock<Lists> = LazyLock::new(|| {
    let set = |list: &str| {
        words(list)
            .iter()
            .map(|word| (word.hash, ()))
            .collect::<HashMap<_, _>>()
    };
    Lists {
        common: set(COMMON),
        roles: set(ROLES),
    }
});

/// Letters of a name of one word, at least.
const SHORTEST_WORD: u16 = 4;
/// Letters of a whole name, at least: `Bo Li`.
const SHORTEST_NAME: u16 = 4;

/// How the words of a name are looked for.
pub(crate) fn rank(words: &[Word], kind: Kind) -> Rank {
    let letters: u16 = words.iter().map(|word| word.letters).fold(0, u16::saturating_add);
    let signs = words.iter().filter(|word| word.is_sign).count();
    let is_role = |word: &Word| LISTS.roles.contains_key(&word.hash);
    let is_common = |word: &Word| is_role(word) || LISTS.common.contains_key(&word.hash);
    if signs == words.len() {
        return if signs >= 2 { Rank::Sure } else { Rank::Never };
    }
    if words.iter().all(is_role) {
        return Rank::Never;
    }
    match words {
        [word] if word.letters < SHORTEST_WORD || is_common(word) => Rank::Never,
        // A name of one word that is short may be one of the language that no list holds.
        [word] if word.letters < 6 && kind != Kind::Handle => Rank::Capital,
        [_] => Rank::Sure,
        _ if letters < SHORTEST_NAME => Rank::Never,
        _ if letters < 6 || words.iter().all(is_common) => Rank::Capital,
        _ => Rank::Sure,
    }
}

/// Claims that a part of a name is worth looking for after a greeting.
pub(super) fn is_part(word: &Word) -> bool {
    word.letters >= 2 && !word.is_sign && !LISTS.roles.contains_key(&word.hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(name: &str, expected: Rank) {
        assert_eq!(rank(&words(name), Kind::Person), expected, "{name}");
    }

    #[test]
    fn names_are_as_sure_as_their_words_are_rare() {
        for name in [
            "Ann Lee",
            "Qanary Zfc01",
            "Madonna",
            "山田太郎",
            "王芳",
            "Will Smithson",
            "Jörg Müller",
        ] {
            check(name, Rank::Sure);
        }
        for name in ["Will May", "Grace Hill", "Bo Li", "Annie", "Mark Price"] {
            check(name, Rank::Capital);
        }
        for name in [
            "May",
            "Will",
            "Support",
            "Customer Support",
            "test user",
            "Al",
            "X",
            "A B",
            "",
            "山",
        ] {
            check(name, Rank::Never);
        }
    }
}
