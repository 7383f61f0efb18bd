//! One option, three sources, one line when it is wrong.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;
use peerwright_store::PostgresSettings;

const REQUIRED: &[&str] = &[
    "--network=demo",
    "--namespace=default",
    "--network-uid=6f1f1c1e-0000-4000-8000-000000000001",
    "--node-name=demo-peer-0",
    "--trust-domain=demo.default.peerwright.internal",
    "--operator=peerwright-operator.peerwright-system.svc:9443",
    "--install-root-sha256=0000000000000000000000000000000000000000000000000000000000000000",
];

fn load_with(more: &[&str]) -> Result<Invocation, ConfigError> {
    let arguments = ["peerwright-node", "run"].iter().chain(REQUIRED).chain(more);
    load(arguments.map(OsString::from))
}

fn configured(more: &[&str]) -> Configuration {
    match load_with(more) {
        Ok(Invocation::Run(configuration, _)) => *configuration,
        other => panic!("expected a configuration, got {other:?}"),
    }
}

fn refused(more: &[&str]) -> String {
    let line = load_with(more).unwrap_err().to_string();
    assert!(!line.contains('\n'), "more than one line: {line}");
    line
}

fn file(text: &str) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    file
}

#[test]
fn defaults_hold_when_nobody_says_otherwise() {
    let configuration = configured(&[]);
    assert_eq!(configuration.listen_peer, "0.0.0.0:5000".parse().unwrap());
    assert_eq!(configuration.drain, Duration::from_secs(30));
    assert_eq!(configuration.seeds, []);
}

#[test]
fn a_flag_wins_over_the_file_and_the_file_over_the_default() {
    let file = file("drainSeconds: 7\nlistenPeer: 127.0.0.1:6000\nseeds: [a.example:1, b.example:2]\n");
    let config = format!("--config={}", file.path().display());
    let configuration = configured(&[&config, "--drain-seconds=9"]);
    assert_eq!(configuration.drain, Duration::from_secs(9));
    assert_eq!(configuration.listen_peer, "127.0.0.1:6000".parse().unwrap());
    assert_eq!(configuration.seeds.iter().map(ToString::to_string).collect::<Vec<_>>(), ["a.example:1", "b.example:2"]);
}

#[test]
fn own_ranges_are_blocks_of_addresses() {
    let configuration = configured(&["--own-ranges=10.244.0.0/16,fd00::/8"]);
    let ranges: Vec<_> = configuration.own_ranges.iter().map(ToString::to_string).collect();
    assert_eq!(ranges, ["10.244.0.0/16", "fd00::/8"]);
    assert_eq!(configured(&[]).own_ranges, []);
    assert!(refused(&["--own-ranges=10.244.0.1/16"]).contains("10.244.0.0/16"));
    assert!(refused(&[&format!("--own-ranges={}", vec!["10.244.0.0/16"; 65].join(","))]).contains("65 ranges"));
}

#[test]
fn seeds_are_separated_by_commas_or_repeated() {
    let configuration = configured(&["--seeds=a.example:1,[::1]:2", "--seeds=10.0.0.1:3"]);
    assert_eq!(
        configuration.seeds.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["a.example:1", "[::1]:2", "10.0.0.1:3"]
    );
}

#[test]
fn an_unknown_key_is_refused_by_name() {
    let file = file("drainSecond: 7\n");
    let line = refused(&[&format!("--config={}", file.path().display())]);
    assert!(line.contains("unknown key drainSecond") && line.contains("drainSeconds"), "{line}");
}

#[test]
fn a_bad_value_names_option_place_and_what_is_accepted() {
    let line = refused(&["--drain-seconds=0"]);
    assert_eq!(line, "drain-seconds is \"0\" (flag --drain-seconds): accepted is whole seconds from 1 to 300");
    let file = file("logFormat: xml\n");
    let line = refused(&[&format!("--config={}", file.path().display())]);
    assert!(line.contains("log-format is \"xml\" (key logFormat of ") && line.ends_with("text or json"), "{line}");
}

#[test]
fn a_missing_option_says_where_it_may_stand() {
    let line = load(["peerwright-node", "run"].map(OsString::from)).unwrap_err().to_string();
    assert_eq!(
        line,
        "network is missing: give flag --network, environment variable PEERWRIGHT_NETWORK or key network of the file"
    );
}

#[test]
fn an_unknown_flag_and_an_unreadable_file_are_one_line() {
    assert!(refused(&["--no-such-flag=1"]).contains("--no-such-flag"));
    assert!(refused(&["--config=/nowhere/config.yaml"]).starts_with("configuration file /nowhere/config.yaml: "));
    let broken = file("drainSeconds: [\n");
    refused(&[&format!("--config={}", broken.path().display())]);
    let list = file("- 1\n");
    assert!(refused(&[&format!("--config={}", list.path().display())]).ends_with("not a mapping of options to values"));
}

#[test]
fn help_explains_every_option_and_its_three_names() {
    let Invocation::Print(help) = load(["peerwright-node", "run", "--help"].map(OsString::from)).unwrap() else {
        panic!("help is printed")
    };
    for setting in settings::RUN {
        for name in [format!("--{}", setting.name), setting.environment.to_owned(), format!("key: {}", setting.key)] {
            assert!(help.contains(&name), "{name} is not in the help");
        }
    }
}

#[test]
fn the_three_names_of_an_option_are_one_name() {
    for setting in settings::RUN.iter().chain(settings::DEV) {
        assert_eq!(setting.environment, format!("PEERWRIGHT_{}", setting.name.replace('-', "_").to_uppercase()));
        let mut words = setting.name.split('-');
        let first = words.next().unwrap().to_owned();
        let key = words.fold(first, |key, word| key + &word[..1].to_uppercase() + &word[1..]);
        assert_eq!(setting.key, key);
    }
}

#[test]
fn registers_are_on_the_volume_unless_a_database_is_named() {
    assert_eq!(configured(&[]).storage, Storage::Volume);
    assert_eq!(configured(&["--storage-url=sqlite"]).storage, Storage::Volume);
    let url = "postgres://peerwright@db.example/peerwright";
    let named = PostgresSettings::new(url, "peerwright_demo_peer_0", Some("/secret/password".into()), None).unwrap();
    let file = file(&format!("storageUrl: {url}\nstoragePasswordFile: /secret/password\n"));
    let config = format!("--config={}", file.path().display());
    assert_eq!(configured(&[&config]).storage, Storage::Postgres(Box::new(named)));
    let other = PostgresSettings::new(url, "mine", None, Some("/ca.pem".into())).unwrap();
    let url = format!("--storage-url={url}");
    let given = configured(&[&url, "--storage-schema=mine", "--storage-authorities-file=/ca.pem"]);
    assert_eq!(given.storage, Storage::Postgres(Box::new(other)));
}

#[test]
fn a_password_in_the_url_is_refused_without_showing_it() {
    let line = refused(&["--storage-url=postgres://peerwright:hidden@db.example/peerwright"]);
    assert!(line.starts_with("storage-url (flag --storage-url) has a password"), "{line}");
    assert!(line.contains("storage-password-file") && !line.contains("hidden"), "{line}");
    assert!(refused(&["--storage-url=mysql://db.example/peerwright"]).contains("postgres://"));
    assert!(refused(&["--storage-schema=mine"]).contains("storage-schema"));
}

#[test]
fn a_file_may_hold_the_url_with_its_password() {
    let url = file("postgres://peerwright:hidden@db.example/peerwright\n");
    let named = format!("--storage-url-file={}", url.path().display());
    let schema = "shop_demo_peer_0";
    let expected = PostgresSettings::from_file(url.path().to_owned(), schema, Some("/ca.pem".into()));
    let given = configured(&[&named, "--storage-schema-prefix=shop", "--storage-authorities-file=/ca.pem"]);
    assert_eq!(given.storage, Storage::Postgres(Box::new(expected.unwrap())));

    for needless in ["--storage-url=postgres://one@host/database", "--storage-password-file=/password"] {
        let line = refused(&[&named, needless]);
        let (option, _) = needless.trim_start_matches('-').split_once('=').unwrap();
        assert!(line.starts_with("storage-url-file") && line.ends_with(option), "{line}");
    }
    let empty = file("");
    let line = refused(&[&format!("--storage-url-file={}", empty.path().display())]);
    assert!(
        line.starts_with("storage-url-file (flag --storage-url-file) names ") && line.contains("is no URL"),
        "{line}"
    );
}

#[test]
fn the_name_of_a_schema_is_given_whole_or_by_its_beginning() {
    let url = "--storage-url=postgres://peerwright@db.example/peerwright";
    let line = refused(&[url, "--storage-schema=mine", "--storage-schema-prefix=shop"]);
    assert_eq!(
        line,
        "storage-schema (flag --storage-schema) is the whole name, and has no use for storage-schema-prefix"
    );
    for wrong in ["Shop", "1a", "a-b", "pg_a", "abcdefghijklmnopqrstuvwxy"] {
        let line = refused(&[url, &format!("--storage-schema-prefix={wrong}")]);
        assert!(line.starts_with(&format!("storage-schema-prefix is \"{wrong}\"")), "{line}");
    }
    assert!(
        refused(&[url, "--storage-schema=Mine"]).starts_with("storage-schema (flag --storage-schema) names schema")
    );
    assert!(refused(&["--storage-schema-prefix=shop"]).contains("has no use for storage-schema-prefix"));
}

#[test]
fn without_a_command_the_node_runs() {
    let arguments = ["peerwright-node"].iter().chain(REQUIRED).map(OsString::from);
    assert!(matches!(load(arguments).unwrap(), Invocation::Run(..)));
    let dev = load(["peerwright-node", "dev", "--nodes", "5"].map(OsString::from)).unwrap();
    assert!(matches!(dev, Invocation::Dev(DevConfiguration { nodes: 5, data_dir: None }, _)));
}
