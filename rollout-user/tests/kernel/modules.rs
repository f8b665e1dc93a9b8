//! ip_vs comes, goes and comes back while the programs run.
//! Comes in: a guest whose `/modules` holds it. Goes out: hooks that attach by themselves, and changes that are told.

use super::ipvs_setup::{add, add_service, delete_service};
use super::space::Space;
use super::trace::Trace;
use rollout::record::Body;
use rollout::record::meta::{Hook, Hooks};
use rustix::io::Errno;
use rustix::system::{delete_module, init_module};
use std::ffi::CStr;
use std::fs;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

const FACTS: [&str; 4] = ["ipvs_choice", "no_destination", "ipvs_destination", "ipvs_service"];
/// The scheduler uses ip_vs, so it goes first and comes last.
const MODULES: [(&CStr, &str); 2] =
    [(c"ip_vs_rr", "/modules/ip_vs_rr.ko"), (c"ip_vs", "/modules/ip_vs.ko")];

/// ip_vs is unloaded; it is there again when the test ends, whatever its result.
struct Unloaded;

impl Unloaded {
    fn now() -> Self {
        for (name, _) in MODULES {
            // Namespaces of tests before are taken down in the background and hold it until then.
            let end = Instant::now() + Duration::from_secs(30);
            while let Err(error) = delete_module(name, libc::O_NONBLOCK) {
                let is_busy = matches!(error, Errno::AGAIN | Errno::BUSY);
                assert!(is_busy && Instant::now() < end, "{name:?}: {error}");
                std::thread::sleep(Duration::from_millis(50));
            }
        }
        Self
    }

    fn load() {
        for (name, file) in MODULES.iter().rev() {
            let content = fs::read(file).expect("the module's file");
            let result = init_module(&content, c"");
            assert!(matches!(result, Ok(()) | Err(Errno::EXIST)), "{name:?}: {result:?}");
        }
    }
}

impl Drop for Unloaded {
    fn drop(&mut self) {
        Self::load();
    }
}

fn of_ipvs(hooks: &Hooks) -> Vec<&Hook> {
    FACTS.iter().map(|fact| hooks.facts.get(*fact).expect(fact)).collect()
}

/// Waits for the `count`th statement about hooks since the start.
fn statement(trace: &mut Trace, count: usize) -> Hooks {
    trace.wait("hooks", |records| {
        let mut said = records.iter().filter_map(|record| match &record.body {
            Body::Hooks(hooks) => Some(hooks.clone()),
            _ => None,
        });
        said.nth(count - 1)
    })
}

/// A change of the table is told.
fn is_hooked(trace: &mut Trace, number: u16) {
    let service = SocketAddr::from(([10, 96, 0, 10], number));
    let destination = SocketAddr::from(([10, 1, 1, 2], 8080));
    add_service(service);
    add(service, destination, 1).unwrap();
    trace.body("change", |body| match body {
        Body::IpvsDestination(it) if it.service == Some(service) => {
            assert_eq!((it.destination, it.result), (destination, 0));
            Some(())
        }
        _ => None,
    });
    delete_service(service);
}

pub fn ip_vs_that_is_loaded_later_is_hooked_then() {
    let _space = Space::enter();
    let unloaded = Unloaded::now();
    let mut trace = Trace::with_ipvs();
    for fact in FACTS {
        let hook = trace.hook(fact);
        assert!(hook.attached.is_none() && hook.blind.is_some(), "{fact}: {hook:?}");
    }
    drop(unloaded);
    let hooks = statement(&mut trace, 1);
    assert!(of_ipvs(&hooks).iter().all(|hook| hook.attached.is_some()), "{hooks:?}");
    is_hooked(&mut trace, 80);
}

pub fn ip_vs_that_is_loaded_again_is_hooked_again() {
    let _space = Space::enter();
    let mut trace = Trace::with_ipvs();
    is_hooked(&mut trace, 80);
    let unloaded = Unloaded::now();
    let gone = statement(&mut trace, 1);
    assert!(
        of_ipvs(&gone).iter().all(|hook| hook.attached.is_none() && hook.blind.is_some()),
        "{gone:?}"
    );
    drop(unloaded);
    let back = statement(&mut trace, 2);
    assert!(of_ipvs(&back).iter().all(|hook| hook.attached.is_some()), "{back:?}");
    is_hooked(&mut trace, 81);
}
