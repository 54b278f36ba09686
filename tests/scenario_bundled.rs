//! Every scenario that ships loads without a warning, and resolves to what its comments promise.

use std::path::{Path, PathBuf};

use e2e_tui::{
    model::{Condition, Probe, ProcessSpec, Role},
    scenario::{BUNDLED, Environment, Leases, Located, Overrides, Parts, Resolved, Scenario, load, locate},
};

fn overrides() -> Overrides {
    Overrides { env: Environment::of([("PATH", "/usr/bin:/bin")]), ..Overrides::default() }
}

fn scenario(located: &Located) -> Scenario {
    load(located, &overrides()).unwrap_or_else(|d| panic!("{}: {d}", located.name))
}

fn resolve(scenario: &Scenario) -> Resolved {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let mut leases = Leases::in_dir(&dir.path().join("leases")).expect("a lock file");
    scenario.resolve(&mut leases, &Parts { exe: PathBuf::from("/opt/e2e-tui") }).unwrap_or_else(|d| panic!("{d}"))
}

fn argv(process: &ProcessSpec) -> Vec<String> {
    process.argv.iter().map(ToString::to_string).collect()
}

#[test]
fn every_bundled_scenario_loads_without_a_warning_and_describes_itself() {
    for bundled in BUNDLED {
        let located = Located::text(bundled.name, "/", bundled.text);
        let scenario = scenario(&located);
        assert_eq!(scenario.name(), bundled.name);
        assert!(scenario.warnings().is_empty(), "{}", scenario.warnings());
        assert!(!bundled.description().is_empty(), "{} has no description", bundled.name);
        assert!(bundled.text.starts_with("# ") && bundled.text.contains("# Ends: "), "{} does not say how it ends", bundled.name);
        resolve(&scenario);
    }
}

#[test]
fn every_file_in_scenarios_is_bundled() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    for entry in std::fs::read_dir(folder).expect("the folder of the scenarios").flatten() {
        let name = entry.file_name().to_string_lossy().trim_end_matches(".toml").to_owned();
        assert!(BUNDLED.iter().any(|b| b.name == name), "{name} is not bundled");
    }
}

#[test]
fn forward_is_an_upstream_a_proxy_and_two_tests_that_wait_for_it() {
    let resolved = resolve(&scenario(&locate("forward").expect("bundled")));
    let spec = &resolved.spec;
    assert_eq!(spec.processes.keys().map(ToString::to_string).collect::<Vec<_>>(), ["upstream", "proxy", "client-a", "client-b"]);
    let (up, proxy) = (spec.ports["upstream"], spec.ports["proxy"]);
    assert_ne!(up, proxy);
    let process = |name: &str| &spec.processes[name];
    assert_eq!(argv(process("upstream")), ["/opt/e2e-tui", "part", "mock-upstream", "--port", &up.to_string()]);
    let target = format!("http://127.0.0.1:{up}/mcp");
    let port = proxy.to_string();
    assert_eq!(argv(process("proxy")), ["/opt/e2e-tui", "part", "proxy", "forward", "http", "--port", &port, "--target", &target]);
    assert!(process("proxy").stand_in);
    assert_eq!(process("proxy").depends_on[0].condition, Condition::Ready);
    assert_eq!(process("client-a").role, Role::Test);
    assert_eq!(argv(process("client-a"))[3..], ["--target", &format!("http://127.0.0.1:{proxy}/mcp"), "--calls", "5"]);
    let Some(Probe::Tcp { addr }) = &process("upstream").ready.probe else { panic!("what listens is ready when it answers") };
    assert_eq!(addr.to_string(), format!("127.0.0.1:{up}"));
    assert!(resolved.secrets.is_empty());
}
