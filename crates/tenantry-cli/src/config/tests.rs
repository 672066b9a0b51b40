//! Discovery, precedence and refusals of the configuration, on real folders.

use std::fs;

use tempfile::TempDir;
use tenantry::engine::Engine;
use tenantry::provision::Naming;

use super::key::KeySource;
use super::layers::Origin;
use super::*;

fn project(toml: &str, files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(FILE_NAME), toml).unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    folder
}

fn load(folder: &TempDir, variables: &[(&str, &str)]) -> Result<Project, CommandError> {
    let globals = Globals {
        dir: Some(folder.path().to_owned()),
        ..Globals::default()
    };
    let pairs = variables.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned()));
    Project::load(&globals, Environment::from_pairs(pairs))
}

fn refusal(toml: &str, variables: &[(&str, &str)]) -> (u16, String) {
    let error = match load(&project(toml, &[]), variables) {
        Ok(project) => project.settings.central().unwrap_err(),
        Err(error) => error,
    };
    assert_eq!(error.exit, Exit::Configuration);
    (error.message.code.unwrap().0, error.message.title.clone())
}

#[test]
fn an_empty_file_gives_the_defaults() {
    let folder = project("", &[("migrations/products/kira/.gitkeep", "")]);
    let project = load(&folder, &[]).unwrap();
    let settings = &project.settings;
    assert_eq!(settings.folders.tenant, folder.path().join("migrations/tenant"));
    let products: Vec<_> = settings
        .folders
        .products
        .keys()
        .map(tenantry::ProductType::as_str)
        .collect();
    assert_eq!(products, ["kira"]);
    assert_eq!(settings.naming, Naming::default());
    assert_eq!(settings.run.lock_timeout.as_secs(), 3);
    assert_eq!(settings.grace.as_secs(), 30);
    assert_eq!(settings.run.concurrency, None);
    assert_eq!(settings.central().unwrap_err().message.code.unwrap().0, 1007);
}

#[test]
fn environment_outranks_dotenv_outranks_file_outranks_default() {
    let toml = "[run]\nconcurrency = 1\nper_server = 1\nlock_timeout = \"1s\"\n";
    let dotenv = "TENANTRY_RUN__CONCURRENCY=2\nTENANTRY_RUN__PER_SERVER=2\n";
    let folder = project(toml, &[(".env", dotenv)]);
    let project = load(&folder, &[("TENANTRY_RUN__CONCURRENCY", "3")]).unwrap();
    let run = &project.settings.run;
    assert_eq!((run.concurrency, run.per_server), (Some(3), Some(2)));
    assert_eq!(
        (run.lock_timeout.as_secs(), run.connect_timeout.as_secs()),
        (1, 10)
    );
    let origin = |key| project.layers.find(key).unwrap().origin.to_string();
    assert_eq!(origin("run.concurrency"), "environment TENANTRY_RUN__CONCURRENCY");
    assert_eq!(origin("run.per_server"), ".env TENANTRY_RUN__PER_SERVER");
    assert_eq!(origin("run.lock_timeout"), "tenantry.toml:4");
    assert_eq!(origin("run.connect_timeout"), "default");
}

#[test]
fn a_flag_outranks_everything() {
    let folder = project("[run]\nconcurrency = 1\nper_server = 1\n", &[]);
    let project = load(&folder, &[("TENANTRY_RUN__CONCURRENCY", "3")]).unwrap();
    let limits = crate::args::Limits {
        concurrency: Some(9),
        ..Default::default()
    };
    let run = project.settings.run_with(&limits);
    assert_eq!((run.concurrency, run.per_server), (Some(9), Some(1)));
    assert_eq!(run.lock_timeout.as_secs(), 3);
}

#[test]
fn the_nearest_parent_wins() {
    let folder = project(
        "",
        &[
            ("inner/deep/x", ""),
            ("inner/tenantry.toml", "[run]\ngrace = \"1s\""),
        ],
    );
    let globals = Globals {
        dir: Some(folder.path().join("inner/deep")),
        ..Globals::default()
    };
    let project = Project::load(&globals, Environment::default()).unwrap();
    assert_eq!(project.folder, folder.path().join("inner"));
}

#[test]
fn without_a_file_the_searched_folders_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let error = load(&folder, &[]).unwrap_err();
    assert_eq!(error.message.code.unwrap().0, 1001);
    let (name, searched) = error.message.facts.first().unwrap();
    assert_eq!(*name, "searched");
    assert!(searched.starts_with(&folder.path().display().to_string()));
}

#[test]
fn the_central_url_comes_from_five_places() {
    let central = |toml: &str, variables: &[(&str, &str)]| {
        let folder = project(toml, &[("secret/url", "sqlite:from-file.db\n")]);
        let project = load(&folder, variables).unwrap();
        let at = project.settings.central().unwrap();
        assert_eq!(at.address.engine(), Engine::Sqlite);
        at.address.database().to_owned()
    };
    let file = "[central]\nurl = \"sqlite:a.db\"\n";
    assert_eq!(central(file, &[]), "a.db");
    assert_eq!(
        central("[central]\nurl_file = \"secret/url\"\n", &[]),
        "from-file.db"
    );
    assert_eq!(
        central("[central]\nurl_env = \"MINE\"\n", &[("MINE", "sqlite:m.db")]),
        "m.db"
    );
    let url = ("DATABASE_URL", "sqlite:d.db");
    assert_eq!(central(file, &[url]), "d.db");
    let precise = ("CENTRAL_DATABASE_URL", "sqlite:c.db");
    assert_eq!(central(file, &[url, precise]), "c.db");
    let ours = ("TENANTRY_CENTRAL__URL", "sqlite:t.db");
    assert_eq!(central(file, &[url, precise, ours]), "t.db");
    assert_eq!(central("[central]\nurl_file = \"no\"\n", &[ours]), "t.db");
}

#[test]
fn values_that_cannot_be_used_are_refused_by_name() {
    for (toml, key) in [
        ("[run]\nlock_timeout = \"5\"\n", "run.lock_timeout"),
        ("[run]\nconcurrency = 0\n", "run.concurrency"),
        ("[naming]\ntenant = \"x\"\n", "naming.tenant"),
        ("[storage]\npath = \"{product}\"\n", "storage.path"),
        (
            "[storage]\npath = \"{platform}/{slug}/{product}\"\n",
            "storage.path",
        ),
        ("[network]\njurisdictions = [\"u k\"]\n", "network.jurisdictions"),
        ("[naming]\nproduct = \"{id}\"\n", "naming.product"),
        ("[migrations.products]\nshared = \"x\"\n", "naming.product"),
        ("[migrations]\ntenant = \"\"\n", "migrations.tenant"),
        (
            "[migrations.products]\nKira = \"x\"\n",
            "migrations.products.Kira",
        ),
        ("[central]\nurl = \"oracle:x\"\n", "central.url"),
        ("[central]\nurl_env = \"UNSET\"\n", "central.url_env"),
        ("[central]\ndomains = [\"a b\"]\n", "central.domains"),
        (
            "[central]\nurl = \"sqlite:x\"\nurl_env = \"Y\"\n",
            "central.url_env",
        ),
    ] {
        let (code, title) = refusal(toml, &[]);
        assert_eq!(code, 1007, "{toml}");
        assert!(title.starts_with(&format!("{key} cannot be used")), "{title}");
    }
    let (code, title) = refusal("", &[("TENANTRY_RUN__CONCURENCY", "3")]);
    assert_eq!(code, 1003);
    assert!(
        title.ends_with("did you mean TENANTRY_RUN__CONCURRENCY?"),
        "{title}"
    );
    let (code, title) = refusal("", &[("TENANTRY_RUN_LOCK_TIMEOUT", "1s")]);
    assert_eq!(code, 1003);
    assert!(
        title.ends_with("did you mean TENANTRY_RUN__LOCK_TIMEOUT?"),
        "{title}"
    );
}

#[test]
fn a_refused_url_is_not_shown_in_a_snippet() {
    let folder = project("[central]\nurl = \"postgres://u:hunter2@h\"\n", &[]);
    let project = load(&folder, &[]).unwrap();
    let error = project.settings.central().unwrap_err();
    assert!(error.message.snippet.is_none());
    assert!(!format!("{error:?}").contains("hunter2"));
}

#[test]
fn a_complaint_about_the_file_shows_no_password_that_stands_nearby() {
    for toml in [
        "[central]\nurl = \"postgres://u:hunter2@h/x\"\nurll = 1\n",
        "[central]\ndomains = \"postgres://u:hunter2@h/x\"\n",
        "[central]\nurl = \"postgres://u:hunter2@h/x\n",
        "[central]\nurl = \"postgres://u:hunter2@h/x\"\n[run]\ngrace = \"1\"\n",
        "[central]\nurl = \"postgres://u:hunter2@h/x\"\ndomains = [\"a b\"]\n",
    ] {
        let error = load(&project(toml, &[]), &[]).unwrap_err();
        assert!(!format!("{error:?}").contains("hunter2"), "{toml}");
    }
}

#[test]
fn a_complaint_about_the_file_shows_no_key_that_was_put_there() {
    for toml in [
        "[key]\nvalue = \"hunter2\"\n",
        "[key]\nvalue = \"hunter2\"\n[run]\ngrace = \"x\"\n",
        "[key]\nvalue = \"hunter2\"\nfile = 1\n",
        "[key]\nfile = [\"hunter2\"]\n",
        "[key]\nfile = \"hunter2\n",
        "[key]\nvalue = \"\"\"\nhunter2\n\"\"\"\n",
        "[keys]\n# hunter2\nvalue = 1\n",
        "key = \"hunter2\"\n",
        "key.value = \"hunter2\"\n",
        "key = { value = \"hunter2\" }\n",
        "[run]\npassword = \"hunter2\"\n",
        "[run]\nconcurrency = 1\n[central]\npassword = \"hunter2\"\n",
    ] {
        let error = load(&project(toml, &[]), &[]).unwrap_err();
        assert!(!format!("{error:?}").contains("hunter2"), "{toml}: {error:?}");
    }
    let error = load(
        &project("[run]\ngrace = \"1s\"\nlock_timout = \"5s\"\n", &[]),
        &[],
    )
    .unwrap_err();
    assert!(error.message.snippet.is_some());
}

#[test]
fn the_key_is_a_variable_or_a_file() {
    let folder = project("", &[]);
    let project = load(&folder, &[("DB_ENCRYPTION_KEY", &"ab".repeat(32))]).unwrap();
    let key = &project.settings.key;
    assert_eq!(key.to_string(), "***");
    assert!(key.read(&project.environment).is_ok());
    let project = load(&folder, &[]).unwrap();
    let key = &project.settings.key;
    assert_eq!(*key, KeySource::File(folder.path().join(".tenantry/key")));
    let error = key.read(&project.environment).unwrap_err();
    assert_eq!(error.message.code.unwrap().0, 1005);
    let project = load(&folder, &[("DB_ENCRYPTION_KEY", "short"), ("TENANTRY_ENV", "x")]).unwrap();
    let error = project.settings.key.read(&project.environment).unwrap_err();
    assert!(!format!("{error:?}").contains("\"short\""));
}

#[test]
fn a_key_file_named_in_the_environment_outranks_dotenv() {
    let folder = project("", &[(".env", "DB_ENCRYPTION_KEY=x\n")]);
    let source = |variables: &[(&str, &str)]| load(&folder, variables).unwrap().settings.key;
    let dotenv = Origin::Dotenv("DB_ENCRYPTION_KEY".to_owned());
    assert_eq!(source(&[]), KeySource::Variable(dotenv));
    let file = source(&[("TENANTRY_KEY__FILE", "k")]);
    assert_eq!(file, KeySource::File(folder.path().join("k")));
}

#[test]
fn a_key_command_is_a_list_of_words_and_outranks_the_default_file() {
    let folder = project("[key]\ncommand = [\"/bin/echo\", \"a,b\"]\n", &[]);
    let loaded = load(&folder, &[]).unwrap();
    assert_eq!(loaded.settings.key.to_string(), "/bin/echo");
    assert_eq!(
        loaded.layers.key_command().unwrap(),
        ["/bin/echo".to_owned(), "a,b".to_owned()]
    );
    let over = load(&folder, &[("TENANTRY_KEY__FILE", "k")]).unwrap();
    assert_eq!(over.settings.key, KeySource::File(folder.path().join("k")));
    for toml in [
        "[key]\ncommand = [\"echo\"]\n",
        "[key]\ncommand = []\n",
        "[key]\nfile = \"k\"\ncommand = [\"/bin/echo\"]\n",
    ] {
        assert_eq!(refusal(toml, &[]).0, 1007, "{toml}");
    }
}

#[test]
fn a_dotenv_that_cannot_be_read_is_refused_and_not_passed_over() {
    let folder = project("", &[]);
    let file = folder.path().join(".env");
    fs::write(&file, b"CENTRAL_DATABASE_URL=sqlite:data/other.db\n# caf\xe9\n").unwrap();
    let error = load(&folder, &[]).unwrap_err();
    assert_eq!(
        (error.exit, error.message.code.unwrap().0),
        (Exit::Configuration, 1003)
    );
    assert!(
        error.message.title.starts_with("line 2 of "),
        "{}",
        error.message.title
    );
    assert!(
        error.message.title.ends_with(".env is not UTF-8"),
        "{}",
        error.message.title
    );

    fs::remove_file(&file).unwrap();
    std::os::unix::fs::symlink(".env", &file).unwrap();
    let error = load(&folder, &[]).unwrap_err();
    assert_eq!(
        (error.exit, error.message.code.unwrap().0),
        (Exit::Configuration, 1001)
    );

    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    load(&folder, &[]).unwrap();
}

#[test]
fn a_duration_outside_its_bounds_is_refused_with_the_bounds() {
    for (key, value, bounds) in [
        ("lock_timeout", "0s", "from 1ms to 1h"),
        ("lock_timeout", "1000h", "from 1ms to 1h"),
        ("connect_timeout", "0ms", "from 1ms to 1h"),
        ("lock_window", "25h", "from 0s to 24h"),
        ("grace", "25h", "from 0s to 24h"),
    ] {
        let (code, title) = refusal(&format!("[run]\n{key} = \"{value}\"\n"), &[]);
        assert_eq!(code, 1007, "{key}");
        assert!(title.contains(bounds), "{title}");
    }
}
