//! A list that grows while others read it: what is in it stays where it is.

use std::{
    ops::Index,
    sync::{
        Mutex, OnceLock, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

/// Items per piece; a piece is made when its first item comes.
const PIECE: usize = 64;
/// More than a run has streams.
const PIECES: usize = 1024;

type Piece<T> = OnceLock<Box<[OnceLock<T>]>>;

/// An append-only list whose items never move, so that readers need no lock.
#[derive(Debug)]
pub(super) struct Growing<T> {
    pieces: Box<[Piece<T>]>,
    len: AtomicUsize,
    adding: Mutex<()>,
}

impl<T> Growing<T> {
    /// Adds `items` in one go. They are lost if the list is full; who adds asks [`len`](Self::len) first.
    pub(super) fn extend(&self, items: impl IntoIterator<Item = T>) {
        let _alone = self.adding.lock().unwrap_or_else(PoisonError::into_inner);
        let mut len = self.len.load(Ordering::Relaxed);
        for item in items {
            let Some(piece) = self.pieces.get(len / PIECE) else { break };
            let slots = piece.get_or_init(|| (0..PIECE).map(|_| OnceLock::new()).collect());
            let _ = slots[len % PIECE].set(item);
            len += 1;
        }
        self.len.store(len, Ordering::Release);
    }

    pub(super) fn get(&self, index: usize) -> Option<&T> {
        self.pieces.get(index / PIECE)?.get()?.get(index % PIECE)?.get()
    }

    pub(super) fn len(&self) -> usize {
        self.len.load(Ordering::Acquire)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        (0..self.len()).filter_map(|index| self.get(index))
    }
}

impl<T> FromIterator<T> for Growing<T> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        let list = Self { pieces: (0..PIECES).map(|_| OnceLock::new()).collect(), len: AtomicUsize::new(0), adding: Mutex::new(()) };
        list.extend(items);
        list
    }
}

impl<T> Index<usize> for Growing<T> {
    type Output = T;
    fn index(&self, index: usize) -> &T {
        self.get(index).expect("an index of this list")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_stay_where_they_are_while_the_list_grows() {
        let list: Growing<usize> = (0..3).collect();
        let first = &raw const list[0];
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| list.extend(0..500));
            }
        });
        assert_eq!((list.len(), list.iter().count()), (2003, 2003));
        assert!(std::ptr::eq(first, &raw const list[0]));
        assert_eq!(list.get(2003), None);
    }
}
