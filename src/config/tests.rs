#![expect(clippy::unwrap_used, reason = "tests")]

use std::time::Duration;

use super::*;
use crate::queue;

const MINIMAL: &str = r#"
pepper = "0123456789abcdef0123456789abcdef"
mixpanel_project_token = "project-token-canary"
mixpanel_oauth_token = "oauth-token-canary"
"#;

fn load(text: &str) -> Result<Vec<ProjectConfig>, ConfigError> {
    let file: toml::Table = text.parse().unwrap();
    let flags = Flags::default();
    let top = Sources::new(&flags, vec![&file]);
    chosen_projects(&file, &top)?
        .into_iter()
        .map(|(project, tables)| project::project_config(project, &Sources::new(&flags, tables)))
        .collect()
}

/// A project with nothing but defaults.
pub(crate) fn project_config() -> ProjectConfig {
    load(MINIMAL).unwrap().remove(0)
}

fn refusal(more: &str) -> String {
    load(&format!("{more}\n{MINIMAL}")).unwrap_err().to_string()
}

#[test]
fn defaults_are_those_of_the_contract() {
    let config = project_config();
    assert_eq!(config.project.as_str(), "default");
    assert_eq!(config.region, "us");
    assert_eq!((config.rules.full_retrieval, config.rules.full_deletion), (2000, 1999));
    assert_eq!(config.request_interval, Duration::from_millis(1100));
    assert_eq!(config.archive_retention, Duration::from_secs(7 * 86400));
}

#[test]
fn a_wrong_setting_names_the_variable_what_was_found_and_what_is_expected() {
    for (setting, variable, expected) in [
        ("linger = \"soon\"", "GDPR_LINGER", "a time with a unit"),
        ("linger = \"0s\"", "GDPR_LINGER", "a time with a unit"),
        ("batch_deletion = 2000", "GDPR_BATCH_DELETION", "1 to 1999"),
        ("mixpanel_region = \"mars\"", "MIXPANEL_REGION", "us, eu or in"),
        ("project = \"no spaces\"", "GDPR_PROJECT", "letters, digits"),
        ("send_lease = \"10s\"", "GDPR_SEND_LEASE", "GDPR_CALL_TIMEOUT"),
        ("poll_max = \"1s\"", "GDPR_POLL_MAX", "GDPR_POLL_MIN"),
    ] {
        let text = refusal(setting);
        assert!(text.contains(variable) && text.contains(expected), "{text}");
    }
}

/// Such times ended in a panic, or in numbers that a script cannot hold.
#[test]
fn a_time_of_more_than_a_hundred_years_is_refused_in_every_setting() {
    let times: Vec<_> = settings::SETTINGS
        .iter()
        .filter(|s| {
            s.default.is_some_and(|d| humantime::parse_duration(d).is_ok_and(|d| !d.is_zero()))
        })
        .chain(settings::SETTINGS.iter().filter(|s| s.key == "profile_retention"))
        .collect();
    assert!(times.len() >= 16, "{}", times.len());
    for setting in times {
        for long in ["99999999d", "36526d"] {
            let text = refusal(&format!("{} = {long:?}", setting.key));
            assert!(text.contains(setting.variable) && text.contains("100 years"), "{text}");
        }
    }
    let longest = "event_retention = \"36525d\"\nprofile_retention = \"36525d\"\nrecord_retention = \"36525d\"";
    assert!(load(&format!("{longest}\n{MINIMAL}")).is_ok());
}

#[test]
fn the_privacy_settings_are_read_from_words_lists_and_times() {
    let text = "consent_default = \"opted_out\"\ngeolocation = false\nanonymize_ids = true\nprofile_retention = \"730d\"\nproperty_blacklist = [\"email\", \"$city\"]";
    let privacy = load(&format!("{text}\n{MINIMAL}")).unwrap().remove(0).privacy;
    assert_eq!(privacy.consent_default, gdpr_jobs::ConsentState::OptedOut);
    assert!(!privacy.geolocation && privacy.anonymize_ids && !privacy.drop_personal_values);
    assert_eq!(privacy.property_blacklist, ["email", "$city"]);
    assert_eq!(privacy.profile_retention, Some(Duration::from_secs(730 * 86400)));
    assert_eq!(project_config().privacy.profile_retention, None);
    assert!(refusal("geolocation = \"maybe\"").contains("GDPR_GEOLOCATION"));
    assert!(refusal("application_key = \"short\"").contains("GDPR_APPLICATION_KEY"));
}

#[test]
fn each_project_of_a_file_has_its_own_settings_before_those_at_the_top() {
    let text =
        format!("linger = \"2s\"\n{MINIMAL}[projects.web]\nlinger = \"9s\"\n[projects.app]\n");
    let configs = load(&text).unwrap();
    let linger =
        |name: &str| configs.iter().find(|c| c.project.as_str() == name).unwrap().rules.linger;
    assert_eq!(linger("web"), Duration::from_secs(9));
    assert_eq!(linger("app"), Duration::from_secs(2));
}

#[test]
fn secrets_do_not_show_in_debug_output() {
    let shown = format!("{:?}", project_config());
    for secret in ["canary", "0123456789abcdef"] {
        assert!(!shown.contains(secret));
    }
}

fn redis_at(url: &str, authorities: &str) -> Result<RedisConfig, ConfigError> {
    let text = format!("redis_url = {url:?}\nredis_ca = {authorities:?}");
    let file: toml::Table = text.parse().unwrap();
    redis::redis(&Sources::new(&Flags::default(), vec![&file]))
}

#[test]
fn every_kind_of_redis_address_is_taken_and_another_is_refused_without_showing_it() {
    for scheme in queue::SCHEMES {
        assert!(redis_at(&format!("{scheme}://host/name"), "").is_ok(), "{scheme}");
    }
    for wrong in ["http://:hunter2@host", "hunter2"] {
        let text = redis_at(wrong, "").unwrap_err().to_string();
        assert!(text.contains("GDPR_REDIS_URL") && text.contains("redis+cluster://"), "{text}");
        assert!(!text.contains("hunter2"), "{text}");
    }
}

#[test]
fn authorities_for_redis_are_certificates_in_a_file_and_only_there_where_one_is_shown() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, content: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        path.display().to_string()
    };
    let signed = rcgen::generate_simple_self_signed(["redis".to_owned()]).unwrap();
    let text = data_encoding::BASE64.encode(signed.cert.der());
    let good = format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n");
    let good = file("ca.pem", &good);
    for scheme in queue::SCHEMES {
        let found = redis_at(&format!("{scheme}://:hunter2@host/name"), &good);
        if scheme.starts_with("rediss") {
            assert!(found.unwrap().authorities.is_some(), "{scheme}");
            continue;
        }
        let text = found.unwrap_err().to_string();
        assert!(text.contains("GDPR_REDIS_CA is set, while GDPR_REDIS_URL"), "{text}");
        assert!(text.contains("expected") && text.contains("rediss://"), "{text}");
        assert!(!text.contains("hunter2"), "{text}");
    }
    for (path, found) in [
        (folder.path().join("nowhere").display().to_string(), "cannot be read"),
        (file("key.pem", "hunter2"), "without a certificate"),
        (file("half.pem", "-----BEGIN CERTIFICATE-----\nhunter2"), "not PEM"),
    ] {
        let text = redis_at("rediss://host", &path).unwrap_err().to_string();
        assert!(text.starts_with("GDPR_REDIS_CA is a file") && text.contains(found), "{text}");
        assert!(text.contains("expected a readable file") && !text.contains("hunter2"), "{text}");
    }
}

#[test]
fn a_bare_flag_means_true() {
    use clap::{Args as _, Command, FromArgMatches as _};
    for (arguments, allowed) in [
        (&["run", "--allow-volatile"][..], true),
        (&["run", "--allow-volatile=false"], false),
        (&["run"], false),
    ] {
        let command = Flags::augment_args(Command::new("run"));
        let matches = command.try_get_matches_from(arguments).unwrap();
        let flags = Flags::from_arg_matches(&matches).unwrap();
        let found = durability(&Sources::new(&flags, Vec::new())).unwrap();
        assert_eq!(found, Durability { replicas: 0, allow_volatile: allowed });
    }
}
