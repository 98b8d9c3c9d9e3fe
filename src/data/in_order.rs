//! Work on several threads whose results are taken one after another, in the order of what was worked on.

use std::{
    collections::HashMap,
    io,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    thread,
};

/// Items per thread that may be done and not taken yet.
const AHEAD: usize = 4;

struct State<R> {
    next: usize,
    taken: usize,
    /// Cost of the items that were begun and not taken yet.
    held: u64,
    done: HashMap<usize, R>,
    stop: bool,
}

struct Shared<R> {
    state: Mutex<State<R>>,
    changed: Condvar,
}

impl<R> Shared<R> {
    fn lock(&self) -> MutexGuard<'_, State<R>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State<R>>) -> MutexGuard<'a, State<R>> {
        self.changed.wait(state).unwrap_or_else(PoisonError::into_inner)
    }

    fn stop(&self) {
        self.lock().stop = true;
        self.changed.notify_all();
    }
}

/// Stops everybody if the thread that has it panics, so that nobody waits for what will not come.
struct StopOnPanic<'a, R>(&'a Shared<R>);

impl<R> Drop for StopOnPanic<'_, R> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.stop();
        }
    }
}

/// Does `work` for every item on `threads` threads and hands the results to `take` in the order of the items, on the
/// calling thread. `cost`: what an item holds in memory from its beginning until it is taken; no item is begun
/// that makes more than `most` of all, unless it is the only one. Ends with the first error of `take`.
pub(super) fn in_order<T: Sync, R: Send>(
    items: &[T],
    threads: usize,
    (cost, most): (impl Fn(&T) -> u64 + Sync, u64),
    work: impl Fn(&T) -> R + Sync,
    mut take: impl FnMut(R) -> io::Result<()>,
) -> io::Result<()> {
    if threads <= 1 || items.len() <= 1 {
        return items.iter().try_for_each(|item| take(work(item)));
    }
    let state = State { next: 0, taken: 0, held: 0, done: HashMap::new(), stop: false };
    let shared = Shared { state: Mutex::new(state), changed: Condvar::new() };
    let worker = || {
        let _guard = StopOnPanic(&shared);
        loop {
            let mut state = shared.lock();
            let (number, item) = loop {
                let Some(item) = items.get(state.next).filter(|_| !state.stop) else { return };
                let room = state.held.saturating_add(cost(item)) <= most
                    && state.next - state.taken < AHEAD * threads;
                if room || state.next == state.taken {
                    state.held += cost(item);
                    state.next += 1;
                    break (state.next - 1, item);
                }
                state = shared.wait(state);
            };
            drop(state);
            let result = work(item);
            shared.lock().done.insert(number, result);
            shared.changed.notify_all();
        }
    };
    thread::scope(|scope| {
        let _guard = StopOnPanic(&shared);
        (0..threads.min(items.len())).for_each(|_| drop(scope.spawn(worker)));
        for (number, item) in items.iter().enumerate() {
            let mut state = shared.lock();
            let result = loop {
                if let Some(result) = state.done.remove(&number) {
                    break result;
                }
                if state.stop {
                    // A worker panicked; the scope panics with it.
                    return Ok(());
                }
                state = shared.wait(state);
            };
            drop(state);
            let taken = take(result);
            let mut state = shared.lock();
            state.taken += 1;
            state.held -= cost(item);
            state.stop |= taken.is_err();
            drop(state);
            shared.changed.notify_all();
            taken?;
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    #[test]
    fn results_come_in_order_and_no_more_is_held_than_allowed() {
        for threads in [1, 2, 5] {
            let items: Vec<u64> = (0..200).map(|i| i * 7919 % 13).collect();
            let (held, most) = (AtomicU64::new(0), AtomicU64::new(0));
            let mut taken = Vec::new();
            let work = |item: &u64| {
                let now = held.fetch_add(*item, Ordering::SeqCst) + item;
                most.fetch_max(now, Ordering::SeqCst);
                *item
            };
            in_order(&items, threads, (|item: &u64| *item, 20), work, |item| {
                held.fetch_sub(item, Ordering::SeqCst);
                taken.push(item);
                Ok(())
            })
            .unwrap();
            assert_eq!(taken, items);
            assert!(most.into_inner() <= 20);
        }
        // One that is too large alone is done alone.
        let mut taken = Vec::new();
        let take = |item| {
            taken.push(item);
            Ok(())
        };
        in_order(&[50, 1, 50], 3, (|item: &u64| *item, 20), |item| *item, take).unwrap();
        assert_eq!(taken, [50, 1, 50]);
    }

    #[test]
    fn the_first_error_ends_it() {
        let items: Vec<usize> = (0..1000).collect();
        let done = AtomicU64::new(0);
        let work = |item: &usize| {
            done.fetch_add(1, Ordering::SeqCst);
            *item
        };
        let take = |item| if item == 3 { Err(io::Error::other("three")) } else { Ok(()) };
        let error = in_order(&items, 3, (|_: &usize| 0, 0), work, take).unwrap_err();
        assert_eq!(error.to_string(), "three");
        assert!(done.into_inner() <= 4 + 3 * AHEAD as u64 + 3);
    }

    #[test]
    #[should_panic(expected = "a scoped thread panicked")]
    fn a_panic_reaches_the_caller() {
        let items: Vec<usize> = (0..50).collect();
        let work = |item: &usize| assert!(*item != 5, "five");
        let _ = in_order(&items, 3, (|_: &usize| 0, 0), work, |()| Ok(()));
    }
}
