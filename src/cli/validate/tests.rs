use std::fs;

use super::one;

#[test]
fn a_file_in_a_folder_that_is_no_kind_is_told_where_it_belongs() {
    let folder = tempfile::tempdir().unwrap();
    let drafts = folder.path().join("drafts");
    fs::create_dir(&drafts).unwrap();
    let file = drafts.join("bad.json");
    fs::write(&file, "{}").unwrap();
    let said = one(&file).unwrap_err().to_string();
    let expected =
        "names its kind, and `drafts` is none; put it into one of routes, upstreams, services,";
    assert!(said.contains(expected), "{said}");
    assert!(said.ends_with("as routes/bad.json"), "{said}");
}

#[test]
fn a_file_in_the_folder_of_its_kind_is_a_document() {
    let folder = tempfile::tempdir().unwrap();
    for path in ["routes/a", "consumers/x/credentials/y"] {
        let file = folder.path().join(format!("{path}.yaml"));
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, "{}").unwrap();
        assert_eq!(&*one(&file).unwrap().path, path);
    }
}
