//! Tests of the catalogue and of who keeps it.

use std::cell::Cell;
use std::fs::{self, File};
use std::io::Write;
use std::sync::mpsc::channel;
use std::time::Duration;

use fhirehose_core::cohort;
use fhirehose_core::search::kind::date;
use fhirehose_core::search::table::Registry;
use fhirehose_synth::{Lines, Options, generate};
use tempfile::TempDir;

use super::*;

const NOW: Time = Time(1_700_000_000_000);
const LATER: Time = Time(1_700_000_100_000);

/// A data folder and a state folder.
pub(super) struct Place {
    data: TempDir,
    state: TempDir,
}

impl Place {
    pub(super) fn with(files: &[(&str, &str)]) -> Place {
        let place = Place {
            data: tempfile::tempdir().expect("a folder"),
            state: tempfile::tempdir().expect("a folder"),
        };
        files.iter().for_each(|(name, text)| place.write(name, text));
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.data.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        fs::write(path, text).expect("writes");
    }

    fn append(&self, name: &str, text: &str) {
        let mut file = File::options().append(true).open(self.path(name)).expect("opens");
        file.write_all(text.as_bytes()).expect("writes");
    }

    fn try_open(&self) -> Result<Keeper, CatalogueError> {
        Keeper::open(self.data.path(), self.state.path(), Registry::r4(), 2, NOW, &|_, _| ())
    }

    fn open(&self) -> Keeper {
        self.try_open().expect("opens")
    }

    pub(super) fn catalogue(&self) -> Arc<Catalogue> {
        self.open().current()
    }

    fn scan(&self, after_reading: &dyn Fn()) -> Result<Scan, CatalogueError> {
        let registry = Registry::r4();
        let cache = cache::Cache::open(self.state.path(), &registry)?;
        let scanner = scan::Scanner {
            folder: self.data.path(),
            cache: &cache,
            registry: &registry,
            threads: 2,
            progress: &|_, _| (),
            after_reading,
        };
        scanner.scan()
    }
}

fn patient(id: &str) -> String {
    format!("{{\"resourceType\":\"Patient\",\"id\":\"{id}\"}}\n")
}

fn group(id: &str, rest: &str) -> String {
    format!("{{\"resourceType\":\"Group\",\"id\":\"{id}\"{rest}}}\n")
}

fn names(scan: &Scan) -> Vec<String> {
    let name = |found: &scan::Found| found.path.file_name().map(|name| name.to_string_lossy().into_owned());
    scan.files.iter().filter_map(name).collect()
}

fn ids(catalogue: &Catalogue) -> Vec<String> {
    let ids = catalogue.patients();
    ids.iter().map(|id| String::from_utf8_lossy(id).into_owned()).collect()
}

#[test]
fn files_are_those_of_an_export_in_its_order() {
    let one = patient("a");
    let place = Place::with(&[
        ("b.ndjson", &one),
        ("a/z.jsonl", ""),
        ("a.txt", &one),
        (".hidden/c.ndjson", &one),
        ("manifest.json", "{}"),
    ]);
    let catalogue = place.catalogue();
    let inputs = fhirehose_native::inputs::expand(&[place.data.path().into()]).expect("expands");
    assert_eq!(catalogue.inputs(), inputs);
    assert_eq!(catalogue.files().len(), 2);
    assert_eq!(catalogue.bytes_stored(), one.len() as u64);
    assert_eq!(catalogue.scanned, NOW);
}

#[test]
fn types_of_all_files_are_added() {
    let changed = |at: &str| format!("{{\"resourceType\":\"Patient\",\"meta\":{{\"lastUpdated\":\"{at}\"}}}}\n");
    let (first, second) = (changed("2024-01-01T00:00:00+02:00"), changed("2023-12-31T22:00:00.5Z"));
    let deleted = fhirehose_core::deletion::lines([("Patient", "x")]);
    let place = Place::with(&[
        ("a.ndjson", &(first.clone() + "\n{\n")),
        ("b.ndjson", &(second.clone() + &group("g", ""))),
        ("deleted/c.ndjson", &deleted),
    ]);
    let catalogue = place.catalogue();
    let names: Vec<&String> = catalogue.types().keys().collect();
    assert_eq!(names, ["Group", "Patient"]);
    let patients = &catalogue.types()["Patient"];
    assert_eq!(
        (patients.resources, patients.bytes),
        (2, (first.len() + second.len()) as u64)
    );
    assert_eq!(patients.newest.as_deref(), Some("2023-12-31T22:00:00.5Z"));
    assert_eq!(catalogue.types()["Group"].newest, None);
    let files = catalogue.files();
    assert_eq!((files[0].bad, files[1].bad, files[2].deletions), (1, 0, 1));
    assert_eq!(files[1].types.len(), 2);
}

#[test]
fn a_patient_in_two_files_is_one() {
    let place = Place::with(&[
        ("a.ndjson", &(patient("a") + &patient("b") + &patient("a"))),
        ("b.ndjson", &(patient("b") + &patient("c"))),
    ]);
    let catalogue = place.catalogue();
    assert_eq!(ids(&catalogue), ["a", "b", "c"]);
    assert_eq!(catalogue.types()["Patient"].resources, 5);
    let asked = ["c", "x", "a", "y"].map(str::to_owned);
    assert_eq!(catalogue.unknown_patients(&asked), ["x", "y"]);
    assert!(catalogue.unknown_patients(&[]).is_empty());
}

#[test]
fn the_facts_are_those_of_what_was_generated() {
    let mut lines = Lines::default();
    let totals = generate(&Options::new(20, 7), &mut lines).expect("generates");
    let place = Place::with(&[]);
    let text = lines.concatenated();
    place.write("all.ndjson", std::str::from_utf8(&text).expect("text"));
    let catalogue = place.catalogue();
    assert!(catalogue.types().len() > 5);
    for (name, facts) in catalogue.types() {
        assert_eq!(facts.resources, totals.of(name), "{name}");
    }
    assert_eq!(catalogue.patients().len() as u64, totals.of("Patient"));
    assert_eq!(
        catalogue.types().values().map(|facts| facts.bytes).sum::<u64>(),
        text.len() as u64
    );
}

#[test]
fn of_groups_with_one_id_the_one_changed_last_is_shown_or_else_the_last() {
    let at =
        |day: u8, name: &str| format!(",\"name\":\"{name}\",\"meta\":{{\"lastUpdated\":\"2024-01-0{day}T00:00:00Z\"}}");
    let place = Place::with(&[
        (
            "a.ndjson",
            &(group("g", &at(3, "new")) + &group("h", ",\"name\":\"one\"") + &group("", "")),
        ),
        (
            "b.ndjson",
            &(group("g", &at(2, "old")) + &group("h", ",\"name\":\"two\"")),
        ),
    ]);
    let catalogue = place.catalogue();
    let shown: Vec<_> = catalogue
        .groups()
        .map(|facts| (facts.id.as_str(), facts.name.as_deref()))
        .collect();
    assert_eq!(shown, [("g", Some("new")), ("h", Some("two"))]);
    assert_eq!(
        catalogue.group("g"),
        Some(group("g", &at(3, "new")).trim_end().as_bytes())
    );
    assert!(catalogue.has_group("h") && !catalogue.has_group("") && !catalogue.has_group("i"));
    assert_eq!(catalogue.group("i"), None);
}

#[test]
fn what_there_is_to_list_of_a_group() {
    let rest = r#","name":"\u0041 b","type":"person","actual":true,"identifier":[{"system":"s","value":"v"},{}],
        "member":[{"entity":{"reference":"Patient/a"}},{"inactive":true},null]"#;
    let place = Place::with(&[(
        "a.ndjson",
        &(group("g", &rest.replace('\n', "")) + &group("h", r#","membership":"definitional""#)),
    )]);
    let catalogue = place.catalogue();
    let found: Vec<GroupFacts> = catalogue.groups().cloned().collect();
    let expected = GroupFacts {
        id: "g".into(),
        name: Some("A b".into()),
        kind: Some("person".into()),
        actual: Some(true),
        members: 2,
        identifiers: vec![(Some("s".into()), Some("v".into())), (None, None)],
    };
    assert_eq!(found[0], expected);
    assert_eq!((found[1].actual, found[1].members), (Some(false), 0));
}

/// Groups of all shapes, over two files.
fn nested() -> (Place, Vec<String>) {
    let lines: Vec<String> = [
        (
            "a",
            r#"{"entity":{"reference":"Patient/1"}},{"entity":{"reference":"Group/b"}}"#,
        ),
        (
            "b",
            r#"{"entity":{"reference":"http://own/fhir/Group/c/_history/2"}},{"entity":{"reference":"Patient/2"}}"#,
        ),
        (
            "c",
            r#"{"entity":{"reference":"Patient/3"},"period":{"end":"2024-04-30"}},{"entity":{"reference":"Group/a"}}"#,
        ),
        (
            "d",
            r#"{"entity":{"reference":"Group/none"}},{"entity":{"reference":"http://other/Group/a"}}"#,
        ),
        ("e", r#"{"entity":{"reference":"Group\/a"},"inactive":true}"#),
        ("f", r#"{"entity":{"reference":"Group/twice"}}"#),
        ("twice", ""),
        ("twice", r#"{"entity":{"reference":"Patient/4"}}"#),
        ("same", r#"{"entity":{"reference":"Patient/5"}}"#),
        ("same", r#"{"entity":{"reference":"Patient/5"}}"#),
    ]
    .map(|(id, members)| group(id, &format!(",\"member\":[{members}]")))
    .to_vec();
    let place = Place::with(&[("a.ndjson", &lines[..4].concat()), ("b.ndjson", &lines[4..].concat())]);
    (place, lines)
}

/// The engine adds all Groups; the catalogue only those that are led to.
#[test]
fn members_are_those_that_an_export_finds() {
    let (place, lines) = nested();
    let catalogue = place.catalogue();
    for at in ["2024-01-01T00:00:00Z", "2024-05-01T00:00:00Z"] {
        let at = date::read_instant(at).expect("instant");
        for base in [
            None,
            Some("http://own/fhir"),
            Some("http://own/fhir/"),
            Some("http://other"),
        ] {
            let mut all = cohort::Groups::new(at, base);
            lines.iter().for_each(|line| all.add(line.as_bytes()));
            for id in ["a", "b", "c", "d", "e", "f", "twice", "same", "unknown"] {
                let seen = |found: Result<Resolved, GroupError>| {
                    found.map(|found| {
                        let mut ids: Vec<Vec<u8>> = found.patients.iter().map(<[u8]>::to_vec).collect();
                        ids.sort();
                        (ids, found.left_out, found.missing)
                    })
                };
                let own = seen(catalogue.resolve(id, at, base));
                assert_eq!(own, seen(all.resolve(id)), "{id} by {base:?}");
            }
        }
    }
}

#[test]
fn members_depend_on_the_instant_and_nothing_is_remembered() {
    let (place, _) = nested();
    let catalogue = place.catalogue();
    let members = |at: &str| {
        let at = date::read_instant(at).expect("instant");
        catalogue.resolve("c", at, None).map(|found| found.patients.len())
    };
    let (before, after) = ("2024-01-01T00:00:00Z", "2024-05-01T00:00:00Z");
    assert_eq!(
        [members(before), members(after), members(before)],
        [Ok(3), Ok(2), Ok(3)]
    );
    let at = date::read_instant(before).expect("instant");
    assert_eq!(
        catalogue.resolve("f", at, None).err(),
        Some(GroupError::Twice("twice".into()))
    );
    assert_eq!(
        catalogue.resolve("x", at, None).err(),
        Some(GroupError::Unknown("x".into()))
    );
    assert_eq!(catalogue.resolve("d", at, None).expect("known").missing, ["none"]);
}

#[test]
fn a_folder_that_is_no_data_is_told() {
    let place = Place::with(&[("readme.txt", "x")]);
    let text = |place: &Place| place.try_open().expect_err("no data").to_string();
    assert!(text(&place).contains("no .ndjson, .jsonl or .json file in this folder"));
    place.write("sub/.fhirehose-partial/x", "");
    place.write("sub/a.ndjson", "");
    assert!(text(&place).contains("an export into this folder has not been completed"));
    let open = |data: &Path| Keeper::open(data, place.state.path(), Registry::r4(), 1, NOW, &|_, _| ());
    let missing = open(&place.path("none")).expect_err("missing").to_string();
    assert!(missing.contains("no such file or folder"), "{missing}");
    let file = open(&place.path("readme.txt")).expect_err("a file");
    assert_eq!(file, CatalogueError::NoFolder(place.path("readme.txt")));
    // What looks like a pattern is none.
    assert!(open(&place.path("*")).is_err());
}

#[test]
fn a_file_that_cannot_be_read_is_named_once_and_not_quoted() {
    let place = Place::with(&[
        ("a.ndjson", &patient("a")),
        ("b.json", r#"[{"resourceType":"Patient","id":"secret"}}"#),
    ]);
    let error = place.try_open().expect_err("broken").to_string();
    assert_eq!(error.matches("b.json").count(), 1, "{error}");
    assert!(!error.contains("secret"));
    let place = Place::with(&[]);
    fs::write(
        place.path("c.ndjson.gz"),
        b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03secret",
    )
    .expect("writes");
    let error = place.try_open().expect_err("broken").to_string();
    assert_eq!(error.matches("c.ndjson.gz").count(), 1, "{error}");
    assert!(!error.contains("secret"));
}

#[cfg(unix)]
#[test]
fn what_is_no_file_is_not_waited_for() {
    let place = Place::with(&[("a.ndjson", &patient("a"))]);
    let _socket = std::os::unix::net::UnixListener::bind(place.path("b.ndjson")).expect("binds");
    std::os::unix::fs::symlink(place.path("b.ndjson"), place.path("c.ndjson")).expect("links");
    assert_eq!(place.catalogue().files().len(), 1);
    std::os::unix::fs::symlink(place.path("none"), place.path("d.ndjson")).expect("links");
    let error = place.try_open().expect_err("a link to nothing").to_string();
    assert!(error.contains("d.ndjson: cannot read"), "{error}");
}

#[test]
fn the_state_is_not_taken_for_data() {
    let place = Place::with(&[("a.ndjson", &patient("a"))]);
    let open = |state: &str| {
        Keeper::open(
            place.data.path(),
            &place.path(state),
            Registry::r4(),
            1,
            NOW,
            &|_, _| (),
        )
    };
    for state in ["state", "", "deep/er"] {
        let error = open(state).expect_err("inside");
        assert_eq!(error, CatalogueError::StateInData(place.path(state)));
    }
    assert!(!place.path("state").exists());
    let keeper = open(".state").expect("hidden");
    assert_eq!(keeper.current().files().len(), 1);
}

#[cfg(unix)]
#[test]
fn the_state_is_found_in_the_data_by_a_link_too() {
    let place = Place::with(&[("a.ndjson", &patient("a"))]);
    let link = place.state.path().join("link");
    std::os::unix::fs::symlink(place.data.path(), &link).expect("links");
    let opened = Keeper::open(place.data.path(), &link.join("x"), Registry::r4(), 1, NOW, &|_, _| ());
    assert_eq!(opened.err(), Some(CatalogueError::StateInData(link.join("x"))));
}

#[test]
fn what_is_known_is_not_read_again() {
    let place = Place::with(&[
        ("a.ndjson", &(patient("a") + "bad\n")),
        ("b.ndjson", &(patient("b") + &group("g", ""))),
    ]);
    let first = place.scan(&|| ()).expect("scans");
    assert_eq!((first.files.len(), first.read), (2, 2));
    let told = Cell::new(0);
    let again = place.scan(&|| told.set(told.get() + 1)).expect("scans");
    assert_eq!((again.files.len(), again.read, told.get()), (2, 0, 0));
    let facts = |scan: &Scan| scan.files.iter().map(|found| found.facts.clone()).collect::<Vec<_>>();
    assert_eq!(facts(&again), facts(&first));
    place.append("b.ndjson", &patient("c"));
    place.write("c.ndjson", "");
    let third = place.scan(&|| ()).expect("scans");
    assert_eq!((third.files.len(), third.read), (3, 2));
    assert_eq!(third.files[1].facts.patients, b"b\nc\n");
}

#[test]
fn what_was_kept_and_is_damaged_is_read_again() {
    let place = Place::with(&[("a.ndjson", &patient("a")), ("b.ndjson", &patient("b"))]);
    place.scan(&|| ()).expect("scans");
    let kept = || {
        let entries = fs::read_dir(place.state.path().join("catalogue")).expect("reads");
        entries.map(|entry| entry.expect("reads").path()).collect::<Vec<_>>()
    };
    assert_eq!(kept().len(), 2);
    fs::write(&kept()[0], "fhirehose catalogue 999\n{}\n").expect("writes");
    assert_eq!(place.scan(&|| ()).expect("scans").read, 1);
    for path in kept() {
        let mut bytes = fs::read(&path).expect("reads");
        let middle = bytes.len() - 33;
        bytes[middle] ^= 1;
        fs::write(&path, bytes).expect("writes");
    }
    assert_eq!(place.scan(&|| ()).expect("scans").read, 2);
    assert_eq!(place.scan(&|| ()).expect("scans").read, 0);
    fs::remove_file(place.path("a.ndjson")).expect("removes");
    place.scan(&|| ()).expect("scans");
    assert_eq!(kept().len(), 1);
}

#[test]
fn a_file_that_is_written_to_while_it_is_read_is_read_again() {
    let place = Place::with(&[("a.ndjson", &patient("a")), ("b.ndjson", &patient("b"))]);
    let round = Cell::new(0);
    let scan = place.scan(&|| {
        if round.replace(round.get() + 1) == 0 {
            place.append("a.ndjson", &patient("c"));
        }
    });
    let scan = scan.expect("scans");
    assert_eq!((round.get(), scan.read, scan.left_out.len()), (2, 2, 0));
    assert_eq!(scan.files[0].facts.patients, b"a\nc\n");
    assert_eq!(place.scan(&|| ()).expect("scans").read, 0);
}

#[test]
fn a_file_that_is_never_left_alone_is_left_out_and_told() {
    let place = Place::with(&[("a.ndjson", &patient("a")), ("b.ndjson", &patient("b"))]);
    let keeper = place.open();
    let writes = || place.append("a.ndjson", &patient("x"));
    writes();
    let reloaded = keeper.reload_with(LATER, &writes).expect("reloads");
    let expected = Reloaded {
        changed: true,
        files: 1,
        read: 1,
        left_out: vec![place.path("a.ndjson")],
    };
    assert_eq!(reloaded, expected);
    let catalogue = keeper.current();
    assert_eq!(ids(&catalogue), ["b"]);
    assert_eq!(catalogue.left_out().collect::<Vec<_>>(), [place.path("a.ndjson")]);
    assert_eq!((catalogue.changed(), catalogue.altered()), (None, None));
    // As soon as it is left alone it is there.
    assert!(keeper.reload(LATER).expect("reloads").changed);
    assert_eq!(keeper.current().files().len(), 2);
}

#[test]
fn if_all_files_are_written_to_there_is_no_catalogue() {
    let place = Place::with(&[("a.ndjson", &patient("a"))]);
    let error = place
        .scan(&|| place.append("a.ndjson", &patient("x")))
        .expect_err("changes");
    assert_eq!(error, CatalogueError::Changing(place.path("a.ndjson")));
}

#[test]
fn files_come_and_go_while_others_are_read() {
    let place = Place::with(&[("a.ndjson", &patient("a")), ("b.ndjson", &patient("b"))]);
    let round = Cell::new(0);
    let scan = place.scan(&|| {
        if round.replace(round.get() + 1) == 0 {
            fs::remove_file(place.path("a.ndjson")).expect("removes");
            place.write("c.ndjson", &patient("c"));
        }
    });
    assert_eq!(names(&scan.expect("scans")), ["b.ndjson", "c.ndjson"]);
}

#[test]
fn a_broken_file_that_is_being_written_does_not_keep_others_from_being_read() {
    let place = Place::with(&[("b.ndjson", &patient("b")), ("c.ndjson", &patient("c"))]);
    place.write("a.json", r#"[{"resourceType":"Patient","id":"#);
    let scan = place.scan(&|| place.append("a.json", " ")).expect("scans");
    assert_eq!(names(&scan), ["b.ndjson", "c.ndjson"]);
    assert_eq!(scan.left_out, BTreeSet::from([place.path("a.json")]));
    let error = place.scan(&|| ()).expect_err("broken");
    assert!(matches!(error, CatalogueError::File { path, .. } if path == place.path("a.json")));
}

#[test]
fn a_change_is_seen_by_the_catalogue_that_was_there_before() {
    let place = Place::with(&[("a.ndjson", &patient("a")), ("b.ndjson", &patient("b"))]);
    let catalogue = place.catalogue();
    let seen = || (catalogue.altered(), catalogue.changed());
    let shown = |name: &str| Some(place.path(name).display().to_string());
    assert_eq!(seen(), (None, None));
    place.write("0.ndjson", "");
    assert_eq!(seen(), (None, shown("0.ndjson")));
    place.append("b.ndjson", "\n");
    assert_eq!(seen(), (shown("b.ndjson"), shown("b.ndjson")));
    fs::remove_file(place.path("a.ndjson")).expect("removes");
    assert_eq!(seen(), (shown("a.ndjson"), shown("a.ndjson")));
    place.write(".fhirehose-partial/x", "");
    assert!(
        catalogue
            .changed()
            .is_some_and(|text| text.contains("has not been completed"))
    );
    let first = catalogue.files()[0].path.clone();
    assert_eq!(first, place.path("a.ndjson"), "what it said it still says");
}

#[test]
fn a_file_with_the_same_length_in_place_of_another_is_a_change() {
    let place = Place::with(&[("a.ndjson", &patient("a"))]);
    let keeper = place.open();
    let old = fs::metadata(place.path("a.ndjson"))
        .and_then(|data| data.modified())
        .expect("a time");
    place.write("new", &patient("b"));
    File::options()
        .append(true)
        .open(place.path("new"))
        .and_then(|file| file.set_modified(old))
        .expect("sets");
    fs::rename(place.path("new"), place.path("a.ndjson")).expect("renames");
    assert!(keeper.reload(LATER).expect("reloads").changed);
    assert_eq!(ids(&keeper.current()), ["b"]);
}

#[test]
fn a_reload_reads_what_has_changed_and_who_has_the_old_one_keeps_it() {
    let place = Place::with(&[("a.ndjson", &patient("a")), ("b.ndjson", &patient("b"))]);
    let keeper = place.open();
    let before = keeper.current();
    let nothing = keeper.reload(LATER).expect("reloads");
    assert_eq!(
        nothing,
        Reloaded {
            files: 2,
            ..Reloaded::default()
        }
    );
    assert!(Arc::ptr_eq(&before, &keeper.current()));
    place.append("b.ndjson", &patient("c"));
    let reloaded = keeper.reload(LATER).expect("reloads");
    assert_eq!((reloaded.changed, reloaded.files, reloaded.read), (true, 2, 1));
    let after = keeper.current();
    assert_eq!(
        (ids(&before), ids(&after)),
        (vec!["a".into(), "b".into()], vec!["a".into(), "b".into(), "c".into()])
    );
    assert_eq!((before.scanned, after.scanned), (NOW, LATER));
}

#[test]
fn a_reload_that_fails_keeps_what_there_was() {
    let place = Place::with(&[("a.ndjson", &patient("a"))]);
    let keeper = place.open();
    let before = keeper.current();
    place.write("b.json", "[{]");
    assert!(keeper.reload(LATER).is_err());
    assert!(Arc::ptr_eq(&before, &keeper.current()));
    place.write("b.json", "[]");
    assert!(keeper.reload(LATER).expect("reloads").changed);
}

#[test]
fn a_catalogue_without_a_place_to_keep_it_is_told_at_start() {
    let place = Place::with(&[("a.ndjson", &patient("a"))]);
    fs::write(place.state.path().join("catalogue"), "a file").expect("writes");
    let error = place.try_open().expect_err("no folder");
    assert!(matches!(error, CatalogueError::State { .. }), "{error}");
}

#[test]
fn a_hundred_thousand_patients_take_little_memory() {
    let place = Place::with(&[]);
    let text: String = (0..100_000).map(|number| patient(&format!("{number:036}"))).collect();
    place.write("a.ndjson", &text);
    place.write("b.ndjson", &text);
    let patients = place.catalogue().patients();
    assert_eq!(patients.len(), 100_000);
    assert!(patients.memory() < 6 << 20, "{}", patients.memory());
}

#[test]
fn progress_goes_to_the_whole() {
    let place = Place::with(&[("a.ndjson", &patient("a").repeat(20_000)), ("b.ndjson", "")]);
    let last = Cell::new((0, 0));
    let whole = 20_000 * patient("a").len() as u64;
    let told = |done, total| {
        assert!(done >= last.replace((done, total)).0 && done <= total);
        assert_eq!(total, whole);
    };
    Keeper::open(place.data.path(), place.state.path(), Registry::r4(), 1, NOW, &told).expect("opens");
    assert_eq!(last.get(), (whole, whole));
}

#[test]
fn changes_are_seen_and_read() {
    let place = Place::with(&[("a.ndjson", &patient("a"))]);
    let keeper = Arc::new(place.open());
    let (sender, receiver) = channel();
    let told = move |reloaded: Result<Reloaded, CatalogueError>| drop(sender.send(reloaded));
    let watch = keeper
        .watch(Duration::from_millis(20), || LATER, told)
        .expect("watches");
    let wait_for = |files: usize| loop {
        let reloaded = receiver
            .recv_timeout(Duration::from_secs(60))
            .expect("in time")
            .expect("reloads");
        if reloaded.files == files {
            return;
        }
    };
    wait_for(1);
    place.write("b.ndjson", &patient("b"));
    wait_for(2);
    place.write("new/folder/c.ndjson", &patient("c"));
    wait_for(3);
    assert_eq!(keeper.current().patients().len(), 3);
    fs::remove_file(place.path("b.ndjson")).expect("removes");
    wait_for(2);
    drop(watch);
    // The thread ends, and with it the sender.
    while receiver.recv_timeout(Duration::from_secs(60)).is_ok() {}
    assert!(matches!(
        receiver.try_recv(),
        Err(std::sync::mpsc::TryRecvError::Disconnected)
    ));
}

/// How data is often published: the new is put in the place of the old at once.
#[cfg(unix)]
#[test]
fn a_folder_that_is_put_in_the_place_of_another_is_seen_and_watched() {
    let place = Place::with(&[("one/a.ndjson", &patient("a")), ("two/b.ndjson", &patient("b"))]);
    let link = |to: &str| {
        std::os::unix::fs::symlink(place.path(to), place.path("new")).expect("links");
        fs::rename(place.path("new"), place.path("link")).expect("renames");
    };
    link("one");
    let data = place.path("link");
    let opened = Keeper::open(&data, place.state.path(), Registry::r4(), 1, NOW, &|_, _| ());
    let keeper = Arc::new(opened.expect("opens"));
    let (sender, receiver) = channel();
    let told = move |reloaded: Result<Reloaded, CatalogueError>| drop(sender.send(reloaded));
    let _watch = keeper
        .watch(Duration::from_millis(20), || LATER, told)
        .expect("watches");
    // Between two renames there may be no data.
    let wait_for = |expected: &[&str]| {
        while ids(&keeper.current()) != expected {
            drop(receiver.recv_timeout(Duration::from_secs(60)).expect("in time"));
        }
    };
    wait_for(&["a"]);
    link("two");
    wait_for(&["b"]);
    place.write("two/c.ndjson", &patient("c"));
    wait_for(&["b", "c"]);
    fs::rename(place.path("two"), place.path("old")).expect("renames");
    fs::remove_file(&data).expect("removes");
    place.write("three/d.ndjson", &patient("d"));
    fs::rename(place.path("three"), &data).expect("renames");
    wait_for(&["d"]);
    place.write("link/e.ndjson", &patient("e"));
    wait_for(&["d", "e"]);
}
