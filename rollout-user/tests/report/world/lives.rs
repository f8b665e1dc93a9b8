//! The lives of the small cluster's pods: how they come, what their processes do, how they go.

use super::*;

impl World {
    /// A new pod of revision 2: programmed 620 ms after its creation was seen.
    pub fn pod_comes(&mut self, at: u64, n: u8) {
        self.pod_comes_of(at, n, 2, "bbbbbbbbbb");
    }

    pub fn pod_comes_of(&mut self, at: u64, n: u8, revision: u64, hash: &str) {
        let second = UNIX + (at / S) as i64;
        let mut pod = self.new_pod(n, revision, hash);
        pod.meta.created = Some(second);
        self.pods.insert(n, pod);
        self.see_pod(at, n);
        self.cgroup_of(at + 200 * MS, n);
        self.change_pod(at + 300 * MS, n, |pod| {
            pod.ips = vec![ip(n)];
            pod.phase = "Running".into();
            pod.containers[0].started = Some(second);
        });
        self.listener(at + 320 * MS, n, true);
        self.change_pod(at + 500 * MS, n, |pod| {
            pod.ready = true;
            pod.ready_changed = Some(UNIX + ((at + 500 * MS) / S) as i64);
        });
        let endpoint = self.endpoint(n, true, false);
        self.endpoints.insert(n, endpoint);
        self.see_slice(at + 560 * MS);
        self.program(at + 620 * MS, n, DestinationChange::Add, Some(1));
    }

    pub fn listener(&mut self, at: u64, n: u8, opened: bool) {
        if !self.is_here(n) {
            return;
        }
        let listener =
            Listener { address: wildcard(), netns: netns(n), cgroup: cgroup(n), socket: n.into() };
        self.push(
            at,
            if opened { Body::ListenerOpened(listener) } else { Body::ListenerClosed(listener) },
        );
    }

    pub fn program(&mut self, at: u64, n: u8, change: DestinationChange, weight: Option<i32>) {
        self.push(
            at,
            Body::IpvsDestination(IpvsDestination {
                change,
                service: Some(vip()),
                destination: backend(n),
                weight,
                result: 0,
                polled: false,
                netns: NODE,
            }),
        );
    }

    pub fn signal(&mut self, at: u64, n: u8, signal: u32, comm: &str, code: i32, result: u32) {
        if !self.is_here(n) {
            return;
        }
        let cgroup = cgroup(n);
        self.push(
            at,
            Body::Signal(Signal {
                cgroup,
                pid: 7_000 + u32::from(n),
                comm: comm.into(),
                signal,
                code,
                result,
                sender_pid: 900,
                sender_comm: "containerd-shim".into(),
            }),
        );
    }

    pub fn exit(&mut self, at: u64, n: u8, comm: &str, status: Option<u8>, signal: Option<u8>) {
        if !self.is_here(n) {
            return;
        }
        let (cgroup, pid) = (cgroup(n), 7_000 + u32::from(n));
        self.push(at, Body::Exit(Exit { cgroup, pid, comm: comm.into(), status, signal }));
    }

    /// The runtime kills the sandbox.
    pub fn sandbox_ends(&mut self, at: u64, n: u8) {
        if !self.is_here(n) {
            return;
        }
        let (cgroup, pid, comm) = (sandbox(n), 6_000 + u32::from(n), "pause".to_owned());
        let (sender_pid, sender_comm) = (900, "containerd-shim".into());
        let (signal, code, result) = (9, 0, 0);
        let kill = Signal {
            cgroup,
            pid,
            comm: comm.clone(),
            signal,
            code,
            result,
            sender_pid,
            sender_comm,
        };
        self.push(at, Body::Signal(kill));
        let exit = Exit { cgroup, pid, comm, status: None, signal: Some(9) };
        self.push(at + MS, Body::Exit(exit));
    }

    /// Deletion is seen at `at`, SIGTERM 12 ms later; the slice follows after 40 ms, the balancer `balancer_after`.
    pub fn pod_goes(&mut self, at: u64, n: u8, closes_after: u64, balancer_after: u64) {
        let grace = 30;
        self.change_pod(at, n, |pod| {
            pod.meta.deletion_timestamp = Some(UNIX + (at / S) as i64 + grace);
            pod.meta.deletion_grace_seconds = Some(grace);
        });
        self.signal(at + 12 * MS, n, 15, "serv", 0, 0);
        self.listener(at + closes_after, n, false);
        let endpoint = self.endpoint(n, false, true);
        self.endpoints.insert(n, endpoint);
        self.see_slice(at + 40 * MS);
        self.program(at + balancer_after, n, DestinationChange::Edit, Some(0));
    }

    /// The container exits at `at`, its object goes 200 ms later.
    pub fn pod_gone(&mut self, at: u64, n: u8) {
        self.exit(at, n, "serv", Some(0), None);
        self.sandbox_ends(at + 60 * MS, n);
        let finished = UNIX + (at / S) as i64;
        self.change_pod(at + 120 * MS, n, |pod| {
            pod.ready = false;
            pod.containers[0].finished = Some(finished);
        });
        self.endpoints.remove(&n);
        self.see_slice(at + 150 * MS);
        self.see_pod_present(at + 200 * MS, n, false);
    }
}
