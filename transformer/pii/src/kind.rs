use zenfloe_catalog::Class;

/// A token's domain: the catalog's classes of single values, and what is found in texts alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// E-mail address.
    Email,
    /// Telephone number in E.164.
    Phone,
    /// Digits of what should be a telephone number and cannot be read as one.
    PhoneRaw,
    /// Name of a person.
    Person,
    /// Postal address or place.
    Address,
    /// Internet address.
    Ip,
    /// The customer's own id for someone.
    ExternalId,
    /// Name in a social network or messenger.
    Handle,
    /// Address of a page that shows who someone is, or lets its holder in.
    Url,
    /// Free text, where a whole one becomes a token.
    Text,
    /// Payment card.
    Card,
    /// International bank account number.
    Iban,
    /// Social security number of the United States.
    Ssn,
    /// Another national id, or the number of a passport or licence.
    NationalId,
    /// Date of birth.
    BirthDate,
    /// Name of an organization that the source knows.
    Organization,
}

/// The names of all kinds; what [`zenfloe_keyring::Tokens::new`] has to prepare for a [`Privacy`](crate::Privacy).
pub const TOKEN_CLASSES: [&str; Kind::ALL.len()] = {
    let mut names = [""; Kind::ALL.len()];
    let mut index = 0;
    while index < names.len() {
        names[index] = Kind::ALL[index].as_str();
        index += 1;
    }
    names
};

impl Kind {
    /// Every kind, in the order of [`Kind::index`].
    pub const ALL: [Self; 16] = [
        Self::Email,
        Self::Phone,
        Self::PhoneRaw,
        Self::Person,
        Self::Address,
        Self::Ip,
        Self::ExternalId,
        Self::Handle,
        Self::Url,
        Self::Text,
        Self::Card,
        Self::Iban,
        Self::Ssn,
        Self::NationalId,
        Self::BirthDate,
        Self::Organization,
    ];

    /// The name in tokens, placeholders and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Phone => "phone",
            Self::PhoneRaw => "phone_raw",
            Self::Person => "person",
            Self::Address => "address",
            Self::Ip => "ip",
            Self::ExternalId => "external_id",
            Self::Handle => "handle",
            Self::Url => "url",
            Self::Text => "text",
            Self::Card => "card",
            Self::Iban => "iban",
            Self::Ssn => "ssn",
            Self::NationalId => "national_id",
            Self::BirthDate => "birth_date",
            Self::Organization => "organization",
        }
    }

    /// Its place in [`Kind::ALL`].
    pub fn index(self) -> usize {
        self as usize
    }
}

impl From<Class> for Kind {
    /// The kind whose normal form a class's values take first.
    fn from(class: Class) -> Self {
        match class {
            Class::Email => Self::Email,
            Class::Phone => Self::Phone,
            Class::Person => Self::Person,
            Class::Address => Self::Address,
            Class::Ip => Self::Ip,
            Class::ExternalId => Self::ExternalId,
            Class::Handle => Self::Handle,
            Class::Url => Self::Url,
            Class::None | Class::Text => Self::Text,
        }
    }
}
