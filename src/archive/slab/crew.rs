//! Threads that work on pieces. Any piece goes to any of them; they come back in the order in which
//! they were handed out, so nothing that follows can tell how many threads there are.

use std::{
    collections::VecDeque,
    io,
    sync::{
        Arc, Mutex,
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread::{self, JoinHandle},
};

use super::piece::Piece;

/// Pieces that may be in line. Their pages are counted elsewhere; this bounds their dictionaries.
const LINE: usize = 256;

type Work = Box<dyn FnMut(Piece) -> io::Result<Piece> + Send>;

/// A piece with the way back. Whoever drops it without an answer breaks it, which is noticed.
type Order = (Piece, SyncSender<io::Result<Piece>>);

enum Waiting {
    Done(io::Result<Piece>),
    Coming(Receiver<io::Result<Piece>>),
}

pub(super) struct Crew {
    /// Works on the caller's thread, if there are no others.
    inline: Option<Work>,
    orders: Option<SyncSender<Order>>,
    threads: Vec<JoinHandle<()>>,
    line: VecDeque<Waiting>,
}

impl Crew {
    /// `threads` threads, each with a worker of its own; with none, the caller's thread does the work.
    pub(super) fn start<W>(threads: usize, worker: impl Fn() -> W) -> io::Result<Self>
    where
        W: FnMut(Piece) -> io::Result<Piece> + Send + 'static,
    {
        let mut crew =
            Self { inline: None, orders: None, threads: Vec::new(), line: VecDeque::new() };
        if threads == 0 {
            crew.inline = Some(Box::new(worker()));
            return Ok(crew);
        }
        let (orders, queue) = sync_channel::<Order>(LINE);
        crew.orders = Some(orders);
        let queue = Arc::new(Mutex::new(queue));
        for _ in 0..threads {
            let (queue, work) = (Arc::clone(&queue), worker());
            let thread = thread::Builder::new().name("compress".to_owned());
            crew.threads.push(thread.spawn(move || serve(&queue, work))?);
        }
        Ok(crew)
    }

    /// Nothing may be handed out before [`Crew::take_back`] took something.
    pub(super) fn is_full(&self) -> bool {
        self.line.len() >= LINE
    }

    pub(super) fn is_idle(&self) -> bool {
        self.line.is_empty()
    }

    /// Puts a piece in line.
    pub(super) fn hand_out(&mut self, piece: Piece) -> io::Result<()> {
        if let Some(work) = &mut self.inline {
            let done = work(piece);
            self.line.push_back(Waiting::Done(done));
            return Ok(());
        }
        let (back, coming) = sync_channel(1);
        let orders = self.orders.as_ref().ok_or_else(lost)?;
        orders.send((piece, back)).map_err(|_| lost())?;
        self.line.push_back(Waiting::Coming(coming));
        Ok(())
    }

    /// The oldest piece in line, once it is done.
    pub(super) fn take_back(&mut self) -> io::Result<Piece> {
        match self.line.pop_front() {
            Some(Waiting::Done(piece)) => piece,
            Some(Waiting::Coming(coming)) => coming.recv().map_err(|_| lost())?,
            None => Err(io::Error::other("no piece is in line: pages were lost")),
        }
    }
}

impl Drop for Crew {
    /// No thread outlives the run.
    fn drop(&mut self) {
        self.orders = None;
        self.line.clear();
        for thread in self.threads.drain(..) {
            // A panic of a thread was met as a lost piece.
            let _ = thread.join();
        }
    }
}

fn serve(queue: &Mutex<Receiver<Order>>, mut work: impl FnMut(Piece) -> io::Result<Piece>) {
    loop {
        let Ok(order) = queue.lock().map(|queue| queue.recv()) else { return };
        let Ok((piece, back)) = order else { return };
        // Nobody waits for it after an error.
        let _ = back.send(work(piece));
    }
}

fn lost() -> io::Error {
    io::Error::other("a compressing thread is gone")
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn piece(text: usize) -> Piece {
        let mut piece = Piece::default();
        piece.text = text;
        piece
    }

    #[test]
    fn pieces_come_back_in_the_order_in_which_they_went() {
        for threads in 0..4 {
            let mut crew = Crew::start(threads, || Ok).unwrap();
            for n in 0..LINE {
                assert!(!crew.is_full());
                crew.hand_out(piece(n)).unwrap();
            }
            assert!(crew.is_full());
            for n in 0..LINE {
                assert_eq!(crew.take_back().unwrap().text, n);
            }
            assert!(crew.is_idle() && crew.take_back().is_err());
        }
    }

    #[test]
    fn an_error_comes_back_in_its_place() {
        for threads in 0..4 {
            let worker = || {
                |piece: Piece| match piece.text {
                    3 => Err(io::Error::from(io::ErrorKind::StorageFull)),
                    _ => Ok(piece),
                }
            };
            let mut crew = Crew::start(threads, worker).unwrap();
            for n in 0..6 {
                crew.hand_out(piece(n)).unwrap();
            }
            for n in 0..6 {
                let outcome = crew.take_back();
                assert_eq!(outcome.err().map(|e| e.kind()).is_some(), n == 3);
            }
        }
    }

    #[test]
    fn a_thread_that_panics_is_an_error_and_never_a_hang() {
        for threads in 1..4 {
            let worker = || |_: Piece| -> io::Result<Piece> { panic!("on purpose") };
            let mut crew = Crew::start(threads, worker).unwrap();
            let sent = (0..LINE).try_for_each(|n| crew.hand_out(piece(n)));
            let mut met = usize::from(sent.is_err());
            while !crew.is_idle() {
                met += usize::from(crew.take_back().is_err());
            }
            assert!(met > 0);
        }
    }
}
