//! The server and its keeper.

use nix::{
    sys::signal::{Signal, kill},
    unistd::{Pid, User, geteuid},
};
use std::{
    fs,
    io::{BufRead, BufReader},
    os::unix::{fs::chown, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        LazyLock, Mutex,
        mpsc::{Receiver, sync_channel},
    },
    time::Duration,
};
use tempfile::TempDir;

/// Where Debian keeps what is not on the path.
const DEBIAN: &str = "/usr/lib/postgresql";
/// What is run beside the server: it ends the server when its input does, and the input is a pipe of the tests' process.
const KEEPER: &str = r#"
remove=$1; data=$2; shift 2
{ "$@"; echo "the server has ended" >&2; } &
cat > /dev/null
kill -QUIT "$(head -n 1 "$data/postmaster.pid")" 2> /dev/null
wait
[ -z "$remove" ] || rm -rf "$remove"
"#;
/// How often a server is started until the processes of one that was killed are gone.
const STARTS: u32 = 200;

/// A server. The one that all share is ended by the end of the process, each other when dropped.
pub struct Server {
    home: TempDir,
    remove: bool,
    options: Vec<String>,
    process: Mutex<Option<Child>>,
}

static SHARED: LazyLock<Server> = LazyLock::new(|| Server::make(true, |_| Vec::new()));

impl Server {
    /// The one that most tests use, each with schemas of its own.
    #[must_use]
    pub fn shared() -> &'static Self {
        &SHARED
    }

    /// One that a test may kill.
    #[must_use]
    pub fn own() -> Self {
        Self::make(false, |_| Vec::new())
    }

    /// One that also listens on a port of loopback, under TLS.
    #[must_use]
    pub fn with_tls(certificate: &str, key: &str, port: u16) -> Self {
        Self::listening("127.0.0.1", certificate, key, port)
    }

    /// One that also listens on an address of this machine, under TLS, and lets in whoever has a role's password.
    #[must_use]
    pub fn listening(address: &str, certificate: &str, key: &str, port: u16) -> Self {
        Self::make(false, |server| {
            let (certificate, key) = (server.put("server.pem", certificate), server.put("server.key", key));
            let rules = server.home().join("data/pg_hba.conf");
            let mut text = fs::read_to_string(&rules).unwrap();
            text.push_str("hostssl all all all scram-sha-256\n");
            fs::write(rules, text).unwrap();
            vec![
                format!("listen_addresses={address}"),
                format!("port={port}"),
                "ssl=on".to_owned(),
                format!("ssl_cert_file={}", certificate.display()),
                format!("ssl_key_file={}", key.display()),
            ]
        })
    }

    fn make(remove: bool, options: impl FnOnce(&Self) -> Vec<String>) -> Self {
        let home = tempfile::Builder::new().prefix("peerwright-postgres-").tempdir_in("/tmp").unwrap();
        if let Some(user) = user() {
            chown(home.path(), Some(user.uid.as_raw()), Some(user.gid.as_raw())).unwrap();
        }
        let data = home.path().join("data");
        let made = as_user(&program("initdb"))
            .args(["-U", "peerwright", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync", "-D"])
            .arg(&data)
            .output()
            .unwrap();
        assert!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
        let mut server = Self { home, remove, options: Vec::new(), process: Mutex::new(None) };
        server.options = options(&server);
        server.start();
        server
    }

    /// Its folder, which also has its socket.
    #[must_use]
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// Makes a file that only the server's user can read.
    pub fn put(&self, name: &str, bytes: &str) -> PathBuf {
        let path = self.home().join(name);
        fs::write(&path, bytes).unwrap();
        fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        if let Some(user) = user() {
            chown(&path, Some(user.uid.as_raw()), Some(user.gid.as_raw())).unwrap();
        }
        path
    }

    /// Starts it again, and waits until it takes connections.
    pub fn start(&self) {
        let mut last = String::new();
        for _ in 0..STARTS {
            let (child, says) = self.spawn();
            *self.process.lock().unwrap() = Some(child);
            match says.recv().unwrap() {
                Ok(()) => return,
                Err(said) => last = said,
            }
            self.end();
        }
        panic!("the server does not start: {last}");
    }

    /// The server, and whether it came to take connections or what it said last.
    fn spawn(&self) -> (Child, Receiver<Result<(), String>>) {
        let data = self.home().join("data");
        let remove = if self.remove { self.home() } else { Path::new("") };
        let mut command = as_user(Path::new("sh"));
        command.args(["-c", KEEPER, "keeper"]).arg(remove).arg(&data).arg(program("postgres")).arg("-D").arg(&data);
        command.arg("-k").arg(self.home());
        for option in ["listen_addresses=", "max_connections=90", "shared_buffers=32MB", "lc_messages=C"] {
            command.args(["-c", option]);
        }
        for option in &self.options {
            command.args(["-c", option]);
        }
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let (tell, says) = sync_channel(1);
        std::thread::spawn(move || {
            let mut last = String::new();
            for line in lines.map_while(Result::ok) {
                // Only the first word is waited for.
                if line.contains("database system is ready to accept connections") {
                    drop(tell.try_send(Ok(())));
                } else if line.contains("the server has ended") {
                    drop(tell.try_send(Err(std::mem::take(&mut last))));
                }
                last = line;
            }
        });
        (child, says)
    }

    /// Kills the server and the processes of its connections: nothing is closed in order, and no connection is left when
    /// this returns. One that outlived the server for a moment would take a write and not answer its commit.
    pub fn kill(&self) {
        let pid = fs::read_to_string(self.home().join("data/postmaster.pid")).unwrap();
        let server: i32 = pid.lines().next().unwrap().trim().parse().unwrap();
        // What stands still begins no further process.
        kill(Pid::from_raw(server), Signal::SIGSTOP).unwrap();
        wait_until(|| status(server).is_none_or(|(state, _)| state == 'T'));
        let processes: Vec<i32> = processes().filter(|pid| status(*pid).is_some_and(|(_, of)| of == server)).collect();
        for pid in processes.iter().copied().chain([server]) {
            // Some end by themselves.
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
        for pid in processes {
            wait_until(|| status(pid).is_none_or(|(state, _)| state == 'Z'));
        }
        self.end();
    }

    fn end(&self) {
        if let Some(mut child) = self.process.lock().unwrap().take() {
            drop(child.stdin.take());
            child.wait().unwrap();
        }
    }

    /// What a statement gives, as its superuser, without decoration.
    #[must_use]
    pub fn sql(&self, database: &str, statement: &str) -> String {
        let mut command = as_user(&program("psql"));
        command.args(["-X", "-A", "-t", "-U", "peerwright", "-d", database, "-c", statement, "-h"]).arg(self.home());
        if let Some(port) = self.options.iter().find_map(|option| option.strip_prefix("port=")) {
            command.args(["-p", port]);
        }
        let output = command.output().unwrap();
        assert!(output.status.success(), "{statement}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// The URL of its database, with more parameters such as `?connect_timeout=1`.
    #[must_use]
    pub fn url(&self, parameters: &str) -> String {
        let home = self.home().display().to_string().replace('/', "%2F");
        format!("postgres://peerwright@{home}/postgres{parameters}")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end();
    }
}

/// Every process of this machine.
fn processes() -> impl Iterator<Item = i32> {
    fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
}

/// The state of a process, and the process that began it.
fn status(pid: i32) -> Option<(char, i32)> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut words = stat.rsplit_once(')')?.1.split_whitespace();
    Some((words.next()?.parse().ok()?, words.next()?.parse().ok()?))
}

fn wait_until(holds: impl Fn() -> bool) {
    for _ in 0..10_000 {
        if holds() {
            return;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    panic!("a process of the server does not end");
}

/// The user whose server this is: `initdb` refuses root.
fn user() -> Option<User> {
    if !geteuid().is_root() {
        return None;
    }
    let found = ["postgres", "nobody"].into_iter().find_map(|name| User::from_name(name).unwrap());
    Some(found.expect("neither user postgres nor nobody is there to run a server"))
}

fn as_user(program: &Path) -> Command {
    let mut command = Command::new(program);
    if let Some(user) = user() {
        command.uid(user.uid.as_raw()).gid(user.gid.as_raw());
    }
    command.current_dir("/").env("LC_ALL", "C").env_remove("PGDATA");
    command
}

fn program(name: &str) -> PathBuf {
    let folders = std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()).collect::<Vec<_>>();
    let mut versions: Vec<PathBuf> = fs::read_dir(DEBIAN)
        .map(|entries| entries.map_while(Result::ok).map(|entry| entry.path().join("bin")).collect())
        .unwrap_or_default();
    versions.sort();
    let found = folders
        .into_iter()
        .chain(versions.into_iter().rev())
        .map(|folder| folder.join(name))
        .find(|file| file.is_file());
    found.unwrap_or_else(|| {
        panic!("these tests need a PostgreSQL server, and there is no {name}: `sudo apt-get install postgresql`, or put it on the path")
    })
}
