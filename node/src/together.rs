//! Questions that are asked at once are answered together: while one batch is answered the next gathers.
//!
//! ```text
//! caller ─▶ waiting ─┐
//! caller ─▶ waiting ─┼─ in order, as many as a batch holds ─▶ answered, off the callers' tasks ─▶ each caller its own
//! caller ─▶ waiting ─┘
//! ```

use futures::future::BoxFuture;
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::oneshot;

/// Answers questions, one answer for each, in order.
type Answering<Q, A> = dyn Fn(Vec<Q>) -> BoxFuture<'static, Vec<A>> + Send + Sync;

/// Where questions gather.
pub(crate) struct Together<Q, A> {
    shared: Arc<Shared<Q, A>>,
}

struct Shared<Q, A> {
    answering: Box<Answering<Q, A>>,
    bounds: Bounds,
    state: Mutex<State<Q, A>>,
}

/// How much goes at once.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// Questions of a batch, those of its last caller aside.
    pub(crate) batch: usize,
    /// Batches under way.
    pub(crate) under_way: usize,
}

struct State<Q, A> {
    waiting: VecDeque<Asked<Q, A>>,
    under_way: usize,
}

/// What one caller asks.
struct Asked<Q, A> {
    questions: Vec<Q>,
    answers: oneshot::Sender<Vec<A>>,
}

impl<Q: Send + 'static, A: Send + 'static> Together<Q, A> {
    /// Answered by `answering`. Callers bound what waits, each with what it asks at once.
    pub(crate) fn new(
        bounds: Bounds,
        answering: impl Fn(Vec<Q>) -> BoxFuture<'static, Vec<A>> + Send + Sync + 'static,
    ) -> Self {
        let state = Mutex::new(State { waiting: VecDeque::new(), under_way: 0 });
        Self { shared: Arc::new(Shared { answering: Box::new(answering), bounds, state }) }
    }

    /// One answer for each, in order; `None` when answering failed.
    pub(crate) async fn ask(&self, questions: Vec<Q>) -> Option<Vec<A>> {
        if questions.is_empty() {
            return Some(Vec::new());
        }
        let (answers, answered) = oneshot::channel();
        let begins = {
            let mut state = self.shared.state();
            state.waiting.push_back(Asked { questions, answers });
            let begins = state.under_way < self.shared.bounds.under_way;
            state.under_way += usize::from(begins);
            begins
        };
        if begins {
            // Not in the caller's own task: the others' answers would go with it.
            tokio::spawn(Turn { shared: self.shared.clone(), has_left: false }.run());
        }
        answered.await.ok()
    }
}

impl<Q, A> Shared<Q, A> {
    fn state(&self) -> MutexGuard<'_, State<Q, A>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place among the batches under way.
struct Turn<Q, A> {
    shared: Arc<Shared<Q, A>>,
    has_left: bool,
}

impl<Q, A> Turn<Q, A> {
    /// Answers batch after batch until nothing waits.
    async fn run(mut self) {
        while let Some(batch) = self.gather() {
            let (questions, callers): (Vec<_>, Vec<_>) =
                batch.into_iter().map(|Asked { questions, answers }| (questions, answers)).unzip();
            let counts: Vec<usize> = questions.iter().map(Vec::len).collect();
            let answers = (self.shared.answering)(questions.into_iter().flatten().collect()).await;
            let mut answers = answers.into_iter();
            for (caller, count) in callers.into_iter().zip(counts) {
                let own: Vec<A> = answers.by_ref().take(count).collect();
                // Too few answers are none. Whoever asked may have left.
                if own.len() == count {
                    drop(caller.send(own));
                }
            }
        }
    }

    /// The next batch. Where nothing waits the place is given up, before anybody can rely on it.
    fn gather(&mut self) -> Option<Vec<Asked<Q, A>>> {
        let (mut batch, mut held, mut state) = (Vec::new(), 0, self.shared.state());
        while let Some(asked) = state.waiting.pop_front_if(|_| held < self.shared.bounds.batch) {
            held += asked.questions.len();
            batch.push(asked);
        }
        if batch.is_empty() {
            state.under_way -= 1;
            self.has_left = true;
            return None;
        }
        Some(batch)
    }
}

impl<Q, A> Drop for Turn<Q, A> {
    fn drop(&mut self) {
        if self.has_left {
            return;
        }
        // In the middle, by a panic or the runtime's end: who waits and has nobody else to answer hears of it.
        let mut state = self.shared.state();
        state.under_way -= 1;
        if state.under_way == 0 {
            state.waiting.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Bounds, Together};
    use futures::{FutureExt, future::join_all};
    use std::sync::{Arc, Mutex};
    use tokio::{sync::Semaphore, task::yield_now};

    const BOUNDS: Bounds = Bounds { batch: 4, under_way: 1 };

    type Sizes = Arc<Mutex<Vec<usize>>>;

    /// Doubles numbers as often as it is let, and notes how many came at once.
    fn doubling(bounds: Bounds) -> (Together<u64, u64>, Arc<Semaphore>, Sizes) {
        let (let_go, sizes) = (Arc::new(Semaphore::new(0)), Sizes::default());
        let (wait, noted) = (let_go.clone(), sizes.clone());
        let together = Together::new(bounds, move |numbers: Vec<u64>| {
            let (wait, noted) = (wait.clone(), noted.clone());
            async move {
                wait.acquire().await.unwrap().forget();
                noted.lock().unwrap().push(numbers.len());
                numbers.into_iter().map(|number| number.checked_mul(2).expect("a defect")).collect()
            }
            .boxed()
        });
        (together, let_go, sizes)
    }

    #[tokio::test]
    async fn what_comes_meanwhile_goes_together_and_each_caller_gets_its_own() {
        let (together, let_go, sizes) = doubling(BOUNDS);
        let others = [vec![2, 3], vec![], vec![4], vec![5, 6], vec![7]].map(|numbers| together.ask(numbers));
        let others = async {
            // The first is under way by then.
            yield_now().await;
            join_all(others).await
        };
        let release = async {
            yield_now().await;
            yield_now().await;
            let_go.add_permits(10);
        };
        let (first, others, ()) = tokio::join!(together.ask(vec![1]), others, release);
        assert_eq!(first, Some(vec![2]));
        let expected = [vec![4, 6], vec![], vec![8], vec![10, 12], vec![14]].map(Some);
        assert_eq!(others, expected);
        // The last caller of a batch may be beyond the bound.
        assert_eq!(*sizes.lock().unwrap(), [1, 5, 1]);
    }

    #[tokio::test]
    async fn who_leaves_takes_nobody_with_it() {
        let (together, let_go, _) = doubling(BOUNDS);
        assert_eq!(together.ask(vec![1]).now_or_never(), None, "it has left");
        let (second, ()) = tokio::join!(together.ask(vec![2]), async { let_go.add_permits(2) });
        assert_eq!(second, Some(vec![4]));
    }

    #[tokio::test]
    async fn a_batch_that_fails_is_told_to_all_who_wait_and_the_next_is_answered() {
        let (together, let_go, _) = doubling(BOUNDS);
        let_go.add_permits(10);
        let (failed, waited) = tokio::join!(together.ask(vec![u64::MAX]), together.ask(vec![2]));
        assert_eq!((failed, waited), (None, None));
        assert_eq!(together.ask(vec![3]).await, Some(vec![6]));
    }

    #[tokio::test]
    async fn as_many_batches_are_under_way_as_may_be() {
        let (together, let_go, sizes) = doubling(Bounds { batch: 4, under_way: 2 });
        let asking = (0..6).map(|number| together.ask(vec![number]));
        let (answers, ()) = tokio::join!(join_all(asking), async { let_go.add_permits(10) });
        assert_eq!(answers.into_iter().map(Option::unwrap).map(|one| one[0]).collect::<Vec<_>>(), [0, 2, 4, 6, 8, 10]);
        assert!(sizes.lock().unwrap().iter().all(|size| *size <= 4));
    }
}
