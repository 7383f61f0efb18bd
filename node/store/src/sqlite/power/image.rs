//! What a loss of power has left is opened, and compared with what was answered.

use super::{
    life::{Past, file_in, open_on},
    state::{State, difference, observe, places},
};
use crate::{
    DocketStore, Sqlite, Store, StoreError,
    sqlite::{options::Options, statements::Statements as _},
};
use peerwright_disk::{Disk, History, Image, Loss};
use peerwright_secure::sha256;
use std::{collections::HashSet, path::Path};
use tempfile::TempDir;

/// More calls than an index by transaction takes until it reaches the head.
const INDEX_CALLS: usize = 100;

/// A folder in memory where there is one: nothing of it has to last, and many are made.
pub(super) fn folder() -> TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

/// An image that is not as it has to be.
pub(super) struct Finding {
    what: String,
    folder: TempDir,
}

impl Finding {
    /// Fails the test, and leaves the folder.
    pub(super) fn report(self) -> ! {
        panic!("{}\nthe image is in {}", self.what, self.folder.keep().display())
    }
}

/// Loses power again and again in one life.
pub(super) struct Losses<'l> {
    pub(super) life: &'l str,
    pub(super) past: &'l Past,
    pub(super) history: &'l History,
    /// Those that were looked at: many losses leave the same.
    seen: HashSet<[u8; 32]>,
}

impl<'l> Losses<'l> {
    pub(super) fn new(life: &'l str, past: &'l Past, history: &'l History) -> Self {
        Self { life, past, history, seen: HashSet::new() }
    }

    /// How many different images were looked at.
    pub(super) fn images(&self) -> usize {
        self.seen.len()
    }

    /// Power is lost at a moment, in each way that `losses` gives for so many operations that may be lost.
    pub(super) async fn look(&mut self, moment: usize, losses: impl FnOnce(usize) -> Vec<Loss>) -> Result<(), Finding> {
        let crash = self.history.crash(moment);
        let allowed = self.past.allowed(moment);
        let incarnation = self.past.incarnation(moment);
        for loss in losses(crash.pending()) {
            let image = crash.image(loss);
            if !self.seen.insert(name(&image, allowed)) {
                continue;
            }
            let life = self.life;
            let told = || format!("{life}, power lost at moment {moment}, {loss:?} of these operations:\n{crash}");
            let history = judge(&image, loss, allowed, incarnation, &told).await?;
            // Power may be lost again while what it has left is put right.
            if let Loss::Draw { seed, .. } = loss
                && seed.is_multiple_of(8)
            {
                let again = history.crash(history.barriers()[0]);
                let image = again.image(loss);
                let told = || format!("{}\nand again while the store was opened:\n{again}", told());
                judge(&image, loss, allowed, incarnation, &told).await?;
            }
        }
        Ok(())
    }
}

/// Tells one image from another, and by what it may be found to be.
fn name(image: &Image, allowed: &[State]) -> [u8; 32] {
    let mut bytes = format!("{:?} {}", allowed.as_ptr(), allowed.len()).into_bytes();
    for (name, file) in image {
        bytes.extend([name.as_bytes(), &sha256(file)].concat());
    }
    sha256(&bytes)
}

/// Opens an image; what happened to it then.
async fn judge(
    image: &Image,
    loss: Loss,
    allowed: &[State],
    incarnation: Option<u64>,
    told: &impl Fn() -> String,
) -> Result<History, Finding> {
    let folder = folder();
    for (name, bytes) in image {
        std::fs::write(folder.path().join(name), bytes).unwrap();
    }
    // The index of the log is shared memory and never synced: whatever is found of it counts for nothing.
    if matches!(loss, Loss::Draw { seed, .. } if seed.is_multiple_of(2)) {
        std::fs::write(folder.path().join("store.sqlite-shm"), vec![0x5a; 32 * 1024]).unwrap();
    }
    // What is cut off somewhere is looked at by its state alone: of those there are most.
    let is_thorough = matches!(loss, Loss::ALL | Loss::Draw { .. });
    match check(folder.path(), allowed, incarnation, is_thorough).await {
        Ok(history) => Ok(history),
        Err(what) => Err(Finding { what: format!("{}{what}", told()), folder }),
    }
}

async fn check(
    folder: &Path,
    allowed: &[State],
    incarnation: Option<u64>,
    is_thorough: bool,
) -> Result<History, String> {
    let disk = Disk::attach(folder);
    let store = open_on(&disk, &file_in(folder), |options| options).await;
    let store = store.map_err(|error| format!("it does not open: {error}"))?;
    let compared = compare(&store, allowed, incarnation).await.map_err(|error| format!("it cannot be read: {error}"));
    let mut sound = Ok(Ok(()));
    if is_thorough {
        is_sound(&file_in(folder))?;
        sound = remake_places(&store).await.map_err(|error| format!("its index cannot be made: {error}"));
    }
    store.close().await.map_err(|error| format!("it does not close: {error}"))?;
    compared??;
    sound??;
    Ok(disk.detach())
}

async fn compare(
    store: &Sqlite,
    allowed: &[State],
    incarnation: Option<u64>,
) -> Result<Result<(), String>, StoreError> {
    let found = observe(store).await?;
    if !allowed.contains(&found) {
        let differences = allowed.iter().map(|state| difference(&found, state)).collect::<Vec<_>>();
        let between = "or, compared with what was under way:\n";
        return Ok(Err(format!("what is found is not what was answered:\n{}", differences.join(between))));
    }
    let next = store.next_incarnation(0).await?;
    Ok(match incarnation {
        Some(given) if next <= given => Err(format!("incarnation {next} is given again, after {given}")),
        _ => Ok(()),
    })
}

/// Makes the index by transaction up to the head: it tells the same as the dockets did.
async fn remake_places(store: &Sqlite) -> Result<Result<(), String>, StoreError> {
    let before = places(store).await?;
    for held in store.registers().await? {
        let mut reaches = None;
        for _ in 0..INDEX_CALLS {
            reaches = store.index(held.register).await?;
            if reaches == Some(held.head) {
                break;
            }
        }
        if reaches != Some(held.head) {
            return Ok(Err(format!("the index of {} ends at {reaches:?}, not at {}", held.register, held.head)));
        }
    }
    let is_same = places(store).await? == before;
    Ok(is_same.then_some(()).ok_or_else(|| "the index by transaction does not agree with the dockets".to_owned()))
}

/// What SQLite itself finds in its file.
fn is_sound(path: &Path) -> Result<(), String> {
    let look = || {
        let connection = Options::reader(path).connect()?;
        let found: Vec<String> = connection.values("PRAGMA integrity_check", [])?;
        let dangling = connection.values::<String>("SELECT \"table\" FROM pragma_foreign_key_check", [])?.len();
        Ok::<_, StoreError>((found, dangling))
    };
    match look() {
        Ok((found, 0)) if found == ["ok"] => Ok(()),
        Ok((found, dangling)) => Err(format!("it is damaged: {found:?}, and {dangling} rows refer to none")),
        Err(error) => Err(format!("it is damaged: {error}")),
    }
}
