//! `docs/acceptance.md` names tests that exist.

use crate::repository;
use std::{fs, path::Path};

/// Whether a word in code font is a test's name, and not a path, an option or a metric.
fn is_name(word: &str) -> bool {
    word.matches('_').count() >= 2
        && word.chars().all(|one| one.is_ascii_lowercase() || one.is_ascii_digit() || one == '_')
}

/// Every Rust file under a folder, but for what is built.
fn sources(folder: &Path, found: &mut String) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let (path, name) = (entry.path(), entry.file_name());
        let name = name.to_string_lossy();
        if entry.file_type().unwrap().is_dir() {
            if name != "target" && !name.starts_with('.') {
                sources(&path, found);
            }
        } else if name.ends_with(".rs") {
            found.push_str(&fs::read_to_string(path).unwrap());
        }
    }
}

#[test]
fn every_test_that_the_acceptance_page_names_is_there() {
    let page = fs::read_to_string(repository("docs/acceptance.md")).unwrap();
    let named: Vec<&str> = page.split('`').skip(1).step_by(2).filter(|word| is_name(word)).collect();
    assert!(named.len() > 50, "the page names tests in code font");

    let mut code = String::new();
    sources(&repository(""), &mut code);
    let missing: Vec<&&str> = named.iter().filter(|name| !code.contains(&format!("fn {name}("))).collect();
    assert!(missing.is_empty(), "docs/acceptance.md names tests that are not there: {missing:?}");
}
