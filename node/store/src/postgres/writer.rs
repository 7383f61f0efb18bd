//! The one task that writes. While a commit is under way, calls queue up; the next commit takes all of them.
//!
//! ```text
//!  with a connection   group ─▶ BEGIN, generation, rows ─▶ COMMIT ─▶ all answered        (upkeep between the groups)
//!  lost before COMMIT  nothing is written: all refused
//!  lost during COMMIT  kept until a new connection tells whether it was written, then answered
//!  without one         everything is refused at once; tried again after 0.1 s, doubling to 5 s
//! ```

use super::{
    apply,
    hold::Hold,
    session::{Session, Uncommitted},
};
use crate::{
    StoreError,
    index::Upkeep,
    queue::{self, Job, Operation},
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{
    sync::{
        mpsc::{self, error::TryRecvError},
        watch,
    },
    time::Instant,
};

/// Pause after the first failed try to connect ...
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// ... and the longest.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// The writing connection, and what is to be done when it is lost.
pub(super) struct Writer {
    hold: Hold,
    session: Option<Session>,
    /// Since the last try to connect failed.
    away: Option<Away>,
    /// Handed over with a commit whose outcome is not known yet.
    undecided: Option<Undecided>,
    /// Why nothing is written any more: what only a new process can solve, or [`StoreError::Closed`].
    pub(super) ended: watch::Sender<Option<StoreError>>,
    pub(super) commits: Arc<AtomicU64>,
    upkeep: Upkeep,
}

/// Between two tries to connect.
struct Away {
    why: StoreError,
    pause: Duration,
    until: Instant,
}

/// A group that waits to be answered.
struct Undecided {
    group: Vec<Job>,
    /// What `writes` is if it was committed.
    writes: i64,
}

impl Writer {
    pub(super) fn new(hold: Hold, session: Session) -> Self {
        Self {
            hold,
            session: Some(session),
            away: None,
            undecided: None,
            ended: watch::Sender::new(None),
            commits: Arc::default(),
            upkeep: Upkeep::new(),
        }
    }

    /// All of the group, or nothing of it; answered now, or once it is known.
    async fn write(&mut self, mut group: Vec<Job>) {
        let ended = self.ended.borrow().clone();
        if let Some(ended) = ended {
            return finish(group, &Err(ended));
        }
        match self.try_write(&mut group).await {
            Ok(()) => {
                for job in &group {
                    if let Operation::Dockets(operation) = &job.operation {
                        self.upkeep.look_again(operation.replaces());
                    }
                }
                finish(group, &Ok(()));
            }
            Err(Uncommitted::Refused(error)) => {
                if self.away.is_none() {
                    tracing::error!(error = %error, code = error.code(), jobs = group.len(), "nothing of a group was written");
                }
                self.reset(&error).await;
                finish(group, &Err(error));
            }
            Err(Uncommitted::Unknown(error)) => {
                tracing::warn!(error = %error, jobs = group.len(), "a commit was not answered; it is looked up");
                self.session = None;
            }
        }
    }

    async fn try_write(&mut self, group: &mut Vec<Job>) -> Result<(), Uncommitted> {
        self.connect().await.map_err(Uncommitted::Refused)?;
        let writes = match self.begin().await {
            // The connection was lost while nobody used it.
            Err(StoreError::Unreachable(_)) => {
                self.session = None;
                self.connect().await.map_err(Uncommitted::Refused)?;
                self.begin().await
            }
            begun => begun,
        };
        let writes = writes.map_err(Uncommitted::Refused)?;
        let Some(session) = &mut self.session else { return Err(Uncommitted::Refused(self.refusal())) };
        apply::apply(session, group).await.map_err(Uncommitted::Refused)?;
        let committed = session.commit().await;
        match &committed {
            Ok(()) => {
                self.hold.committed(writes);
                self.commits.fetch_add(1, Ordering::Relaxed);
            }
            Err(Uncommitted::Unknown(_)) => {
                self.undecided = Some(Undecided { group: std::mem::take(group), writes });
            }
            Err(Uncommitted::Refused(_)) => {}
        }
        committed
    }

    async fn begin(&self) -> Result<i64, StoreError> {
        match &self.session {
            Some(session) => self.hold.begin(session).await,
            None => Err(self.refusal()),
        }
    }

    /// A step of what is to be done behind the writes. When it fails, the next group tries again.
    async fn keep_up(&mut self) {
        if let Err(error) = self.try_keep_up().await {
            tracing::warn!(error = %error, code = error.code(), "the index by transaction waits");
            self.upkeep.pending = false;
            self.reset(&error).await;
        }
    }

    async fn try_keep_up(&mut self) -> Result<(), StoreError> {
        let Some(session) = &mut self.session else { return Err(self.refusal()) };
        let writes = self.hold.begin(session).await?;
        self.upkeep.step(session).await?;
        match session.commit().await {
            Ok(()) => {
                self.hold.committed(writes);
                Ok(())
            }
            Err(Uncommitted::Refused(error)) => Err(error),
            Err(Uncommitted::Unknown(error)) => {
                // Whether it was done does not matter: what there is to do is looked up again.
                self.session = None;
                Err(error)
            }
        }
    }

    /// After something failed: nothing of it stays, and after some errors nothing is written any more.
    async fn reset(&mut self, error: &StoreError) {
        if matches!(error, StoreError::Failed(_) | StoreError::Damaged(_) | StoreError::TakenOver(_)) {
            self.end(error.clone()).await;
            return;
        }
        if let Some(session) = &self.session
            && (session.is_closed() || session.run("ROLLBACK").await.is_err())
        {
            self.session = None;
        }
    }

    async fn end(&mut self, error: StoreError) {
        self.upkeep.pending = false;
        tracing::error!(error = %error, code = error.code(), "the store takes nothing any more");
        self.ended.send_if_modified(|ended| {
            let first = ended.is_none();
            ended.get_or_insert(error);
            first
        });
        if let Some(session) = self.session.take() {
            session.close().await;
        }
    }

    /// Connects again if the connection is gone and it is time to.
    async fn connect(&mut self) -> Result<(), StoreError> {
        if self.session.as_ref().is_some_and(|session| !session.is_closed()) {
            return Ok(());
        }
        self.session = None;
        if let Some(ended) = &*self.ended.borrow() {
            return Err(ended.clone());
        }
        if let Some(away) = &self.away
            && Instant::now() < away.until
        {
            return Err(away.why.clone());
        }
        match self.hold.regain().await {
            Ok((session, writes)) => {
                if self.away.take().is_some() {
                    tracing::info!("the database of the store is there again");
                }
                self.session = Some(session);
                self.upkeep.look_again(false);
                self.decide(writes);
                Ok(())
            }
            Err(error @ (StoreError::Failed(_) | StoreError::Damaged(_) | StoreError::TakenOver(_))) => {
                self.end(error.clone()).await;
                self.give_up(&error);
                Err(error)
            }
            Err(error) => {
                let pause = self.away.as_ref().map_or(FIRST_PAUSE, |away| (away.pause * 2).min(LONGEST_PAUSE));
                if self.away.is_none() {
                    tracing::warn!(error = %error, "the database of the store is away");
                }
                let why = StoreError::Unreachable(match &error {
                    StoreError::Unreachable(why) => why.clone(),
                    other => other.to_string(),
                });
                self.away = Some(Away { why: why.clone(), pause, until: Instant::now() + pause });
                Err(why)
            }
        }
    }

    /// Answers the group whose commit was not answered.
    fn decide(&mut self, writes: i64) {
        let Some(undecided) = self.undecided.take() else { return };
        if writes >= undecided.writes {
            self.commits.fetch_add(1, Ordering::Relaxed);
            finish(undecided.group, &Ok(()));
        } else {
            let lost = StoreError::Unreachable("the connection was lost before the commit was done".to_owned());
            finish(undecided.group, &Err(lost));
        }
    }

    fn give_up(&mut self, error: &StoreError) {
        if let Some(undecided) = self.undecided.take() {
            finish(undecided.group, &Err(error.clone()));
        }
    }

    fn refusal(&self) -> StoreError {
        match &self.away {
            Some(away) => away.why.clone(),
            None => StoreError::Unreachable("the connection was lost".to_owned()),
        }
    }

    /// Resolves when there is something to do although nobody asks: the connection has gone, or it is time to try again.
    async fn look_after(&self) {
        if self.ended.borrow().is_some() {
            return std::future::pending().await;
        }
        match (&self.session, &self.away) {
            (Some(session), _) => session.closed().await,
            (None, Some(away)) => tokio::time::sleep_until(away.until).await,
            (None, None) => {}
        }
    }

    fn has_upkeep(&self) -> bool {
        self.upkeep.pending && self.session.is_some()
    }
}

fn finish(group: Vec<Job>, committed: &Result<(), StoreError>) {
    for job in group {
        job.operation.finish(committed);
    }
}

/// Writes until the queue is closed and empty.
pub(super) async fn run(mut writer: Writer, mut jobs: mpsc::Receiver<Job>) {
    loop {
        let first = if writer.has_upkeep() {
            jobs.try_recv()
        } else {
            tokio::select! {
                // Whoever waits comes first; a lost connection is noticed by the write as well.
                biased;
                first = jobs.recv() => first.ok_or(TryRecvError::Disconnected),
                () = writer.look_after() => Err(TryRecvError::Empty),
            }
        };
        match first {
            Ok(first) => {
                let group = queue::group(first, &mut jobs);
                writer.write(group).await;
            }
            Err(TryRecvError::Empty) => {}
            Err(TryRecvError::Disconnected) => break,
        }
        if writer.connect().await.is_ok() && writer.has_upkeep() {
            writer.keep_up().await;
        }
    }
    if writer.undecided.is_some() {
        let closed = writer.connect().await.err().unwrap_or(StoreError::Closed);
        writer.give_up(&closed);
    }
    // A failure stays the last word.
    writer.ended.send_if_modified(|ended| {
        let first = ended.is_none();
        ended.get_or_insert(StoreError::Closed);
        first
    });
    if let Some(session) = writer.session.take() {
        session.close().await;
    }
}
