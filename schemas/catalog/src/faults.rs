//! Faulty files are refused with file, line and reason.

use crate::parse::{catalog, collection};

const GOOD: &str = include_str!("../collections/groups.toml");

/// Replaces `old` in a good file and expects the refusal.
#[track_caller]
fn check(old: &str, new: &str, line: usize, reason: &str) {
    assert!(GOOD.contains(old), "the example holds `{old}`");
    let fault = collection("groups.toml", &GOOD.replacen(old, new, 1)).expect_err(new);
    assert!(fault.starts_with(&format!("groups.toml:{line}: ")), "{fault}");
    assert!(fault.contains(reason), "{fault}");
}

#[test]
fn a_good_file_is_taken() {
    let groups = collection("groups.toml", GOOD).expect("a good file");
    assert_eq!(groups.tables[0].columns[0].name, "id");
    assert!(catalog(&mut [groups.clone()]).is_ok());
    let fault = catalog(&mut [groups.clone(), groups]).expect_err("one table fed twice");
    assert!(fault.contains("fed by `groups` already"), "{fault}");
}

#[test]
fn faults_are_named_with_their_line() {
    check(
        "name = \"groups\"\ndoc",
        "name = \"grups\"\ndoc",
        1,
        "is named `groups.toml`",
    );
    check("tier = 1", "tier = 4", 3, "1, 2 or 3");
    check("tier = 1", "teir = 1", 3, "unknown field `teir`");
    check("\"/api/v2/groups\"", "\"/groups\"", 6, "begins with");
    check("paging = \"list\"", "paging = \"lisst\"", 7, "unknown variant");
    check("page_size = 100", "page_size = 5000", 9, "1 to 1000");
    check(
        "key = [\"id\"]\npartition",
        "key = [\"a..b\"]\npartition",
        17,
        "is no key",
    );
    check(
        "key = [\"id\"]\ncolumn",
        "key = [\"ident\"]\ncolumn",
        25,
        "no column of this table",
    );
    check(
        "{ name = \"url\", type = \"string\",",
        "{ name = \"id\", type = \"string\",",
        28,
        "stands twice",
    );
    check("{ name = \"url\",", "{ name = \"_url\",", 28, "row's own");
    let erase = |erase: &str| format!("key = [\"id\"]\nerase = {{ {erase} }}\ncolumn");
    for (bad, reason) in [
        ("author = \"url\"", "`url` is no column of whole numbers"),
        (
            "sender = { id = \"id\", columns = [\"from\"] }",
            "`from` is no column of this table",
        ),
        ("sender = { id = \"id\", columns = [\"id\"] }", "beside its key"),
    ] {
        check("key = [\"id\"]\ncolumn", &erase(bad), 26, reason);
    }
    check(
        "type = \"string\", doc = \"The API",
        "type = \"long\", class = \"email\", doc = \"The API",
        28,
        "makes text",
    );
    check("doc = \"The API address of the group.\"", "doc = \" \"", 28, "say what");
    check(
        "type = \"string\", doc = \"The API",
        "type = \"string\", class = { by = \"name\", else = \"text\" }, doc = \"The API",
        28,
        "single personal values",
    );
    check("deleted = [", "known = [\"a..b\"]\ndeleted = [", 20, "is no key");
}
