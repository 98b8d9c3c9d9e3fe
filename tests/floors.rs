//! The floors in the crate's own documentation are the floors in the code.

use std::{collections::BTreeMap, fs, path::Path};

#[test]
fn imports_point_down() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let map = fs::read_to_string(src.join("lib.rs")).unwrap();
    let floors: BTreeMap<&str, u32> = map
        .lines()
        .filter_map(|line| line.strip_prefix("//! - floor ")?.split_once(": "))
        .flat_map(|(floor, names)| {
            names.split('`').skip(1).step_by(2).map(move |n| (n, floor.parse().unwrap()))
        })
        .collect();
    let mut wrong = Vec::new();
    visit(&src, &mut |file, text| {
        let inside = file.strip_prefix(&src).unwrap();
        let own = inside.components().next().unwrap().as_os_str().to_str().unwrap().trim_end_matches(".rs");
        let Some(&here) = floors.get(own) else {
            if own != "lib" && own != "main" {
                wrong.push(format!("{own} has no floor in lib.rs"));
            }
            return;
        };
        for target in targets(text) {
            match floors.get(target) {
                _ if target == own => (),
                Some(&there) if there < here => (),
                Some(there) => wrong
                    .push(format!("{} (floor {here}) imports {target} (floor {there})", inside.display())),
                None => wrong.push(format!("{} imports {target}, which has no floor", inside.display())),
            }
        }
    });
    assert!(wrong.is_empty(), "imports that do not point down:\n{}", wrong.join("\n"));
}

/// Top-level modules named after `crate::`, alone or in braces.
fn targets(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    for (at, _) in text.match_indices("crate::") {
        let rest = &text[at + "crate::".len()..];
        let Some(group) = rest.strip_prefix('{') else {
            found.push(word(rest));
            continue;
        };
        let mut depth = 0;
        let mut start = true;
        for (i, c) in group.char_indices() {
            match c {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                ',' if depth == 0 => start = true,
                c if start && !c.is_whitespace() => {
                    found.push(word(&group[i..]));
                    start = false;
                }
                _ => (),
            }
        }
    }
    found
}

fn word(text: &str) -> &str {
    text.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap()
}

fn visit(dir: &Path, each: &mut dyn FnMut(&Path, &str)) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            visit(&path, each);
        } else if path.extension().is_some_and(|e| e == "rs") {
            each(&path, &fs::read_to_string(&path).unwrap());
        }
    }
}
