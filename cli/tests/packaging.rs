//! What lies in packaging/ is what the binary takes.

mod binary;

use binary::Folder;

fn packaged(name: &str) -> String {
    let path = format!("{}/../packaging/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(path).expect("is there")
}

/// What `--print-config` prints with a file and variables.
fn printed(file: &str, variables: &[(&str, &str)]) -> String {
    let folder = Folder::new();
    folder.write("serve.toml", file);
    let mut command = folder.command(&["serve", "--config", "serve.toml", "--print-config"]);
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("FHIREHOSE_SERVE_")) {
        command.env_remove(name);
    }
    command.envs(variables.iter().copied());
    let ended = command.output().expect("runs");
    let text = String::from_utf8_lossy(&ended.stdout).into_owned();
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    text
}

#[test]
fn the_sample_of_a_configuration_is_taken_with_everything_that_it_says() {
    let file = packaged("serve.toml");
    // What is switched off with a `#` in front is as right as the rest.
    let of_option = |line: &&str| {
        line.trim_start_matches("# ")
            .split_once(" = ")
            .is_some_and(|(name, _)| !name.contains(' '))
    };
    let lines: Vec<&str> = file
        .lines()
        .filter(of_option)
        .map(|line| line.trim_start_matches("# "))
        .collect();
    assert!(lines.len() > 10, "{lines:?}");
    let text = printed(&lines.join("\n"), &[]);
    for line in lines {
        assert!(
            text.lines().any(|printed| printed == line),
            "`{line}` is not in: {text}"
        );
    }
    assert_eq!(
        printed(&file, &[])
            .lines()
            .filter(|line| line.starts_with("tls"))
            .count(),
        0
    );
}

#[test]
fn the_variables_of_the_container_are_options() {
    let file = packaged("Containerfile");
    let variables: Vec<(&str, &str)> = file
        .lines()
        .filter_map(|line| {
            line.trim_start_matches("ENV ")
                .trim()
                .trim_end_matches(" \\")
                .split_once('=')
        })
        .filter(|(name, _)| name.starts_with("FHIREHOSE_SERVE_"))
        .collect();
    assert_eq!(variables.len(), 5, "{variables:?}");
    let text = printed("", &variables);
    for (name, value) in variables {
        let name = name
            .trim_start_matches("FHIREHOSE_SERVE_")
            .to_ascii_lowercase()
            .replace('_', "-");
        let line = format!("{name} = \"{value}\"");
        assert!(
            text.lines().any(|printed| printed == line),
            "`{line}` is not in: {text}"
        );
    }
}

#[test]
fn the_unit_starts_the_server_with_the_sample_and_its_state() {
    let unit = packaged("fhirehose.service");
    assert!(unit.contains("\nExecStart=/usr/local/bin/fhirehose serve --config /etc/fhirehose/serve.toml\n"));
    assert!(unit.contains("\nStateDirectory=fhirehose\n"));
    assert!(packaged("serve.toml").contains("\nstate = \"/var/lib/fhirehose\"\n"));
}
