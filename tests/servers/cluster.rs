//! A PostgreSQL of our own, in a directory of its own. It listens on a socket in that directory
//! and nowhere else.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
};

use crate::delivery_log::TempDir;

pub(crate) struct Cluster {
    directory: TempDir,
    programs: PathBuf,
}

/// Where `initdb` and `pg_ctl` are. Debian keeps them out of the path.
fn programs() -> PathBuf {
    let from_config = Command::new("pg_config").arg("--bindir").output().ok();
    let from_config =
        from_config.map(|out| PathBuf::from(String::from_utf8_lossy(&out.stdout).trim()));
    let of_debian = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let of_debian = of_debian.map(|version| version.unwrap().path().join("bin"));
    from_config
        .into_iter()
        .chain(of_debian)
        .find(|directory| directory.join("initdb").exists() && directory.join("pg_ctl").exists())
        .expect("PostgreSQL's `initdb` and `pg_ctl`, as Debian's package `postgresql` has them")
}

impl Cluster {
    pub(crate) fn start() -> Self {
        let cluster = Self { directory: TempDir::new(), programs: programs() };
        if is_root() {
            let owner = Command::new("chown").arg("postgres").arg(cluster.path()).status();
            assert!(owner.unwrap().success());
        }
        let data = cluster.path().join("data");
        let data = data.to_str().unwrap();
        cluster.run(
            "initdb",
            &["-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync"],
        );
        cluster.up();
        cluster
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    pub(crate) fn url(&self) -> String {
        let socket = self.path().to_str().unwrap().replace('/', "%2F");
        format!("postgres://postgres@{socket}/postgres")
    }

    /// What the server has written into its own log since the last call.
    pub(crate) fn said(&self) -> String {
        let path = self.path().join("server.log");
        let said = std::fs::read_to_string(&path).unwrap();
        // The server appends.
        std::fs::OpenOptions::new().write(true).truncate(true).open(path).unwrap();
        said
    }

    /// Returns when it takes connections.
    pub(crate) fn up(&self) {
        let options = format!("-c listen_addresses='' -k {}", self.path().display());
        let log = self.path().join("server.log");
        self.control("start", &["-o", &options, "-l", log.to_str().unwrap()]);
    }

    /// Returns when it is down. Connections are broken off.
    pub(crate) fn down(&self, how: &str) {
        self.control("stop", &["-m", how]);
    }

    fn control(&self, what: &str, more: &[&str]) {
        let data = self.path().join("data");
        let arguments = [&[what, "-w", "-t", "60", "-D", data.to_str().unwrap()], more].concat();
        self.run("pg_ctl", &arguments);
    }

    fn run(&self, program: &str, arguments: &[&str]) {
        let Output { status, stdout, stderr } = self.command(program, arguments).output().unwrap();
        let said = [stdout, stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        assert!(status.success(), "{program} {arguments:?}: {said:?}");
    }

    /// It refuses to run as root.
    fn command(&self, program: &str, arguments: &[&str]) -> Command {
        let program = self.programs.join(program);
        let mut command = if is_root() {
            let mut command = Command::new("runuser");
            command.args(["-u", "postgres", "--"]).arg(program);
            command
        } else {
            Command::new(program)
        };
        command.args(arguments).current_dir(self.path());
        // A child that keeps the pipes open would keep us waiting for their end.
        command.stdin(std::process::Stdio::null());
        command
    }
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output().unwrap();
    id.stdout.trim_ascii() == b"0"
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // Down already, perhaps.
        let data = self.path().join("data");
        let arguments = ["stop", "-w", "-m", "immediate", "-D", data.to_str().unwrap()];
        let _ = self.command("pg_ctl", &arguments).output();
    }
}
