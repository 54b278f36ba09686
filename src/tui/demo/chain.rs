//! The chain as it is wired: who talks to whom, and what came of that of late. Drawn from what taps have seen; of a process
//! that none has seen talk, from which services it waits for.

use std::time::Duration;

use crate::{
    model::{At, ProcessId, Role as ProcessRole, Snapshot},
    tap::{CallKind, Exchange, Traffic},
    tui::{
        theme::Role,
        traffic::{Answer, Word},
    },
};

/// Exchanges that are looked at for a count: more than anybody counts along.
const NEWEST: usize = 10_000;

/// Processes by how far they stand from those who begin, and who talks to whom. Numbers are rows of the snapshot.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Chain {
    /// Who begins stands first.
    pub(crate) ranks: Vec<Vec<usize>>,
    /// From whom to whom.
    pub(crate) links: Vec<(usize, usize)>,
}

/// What the newest calls over a link came to, as long as that was the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) answer: Word,
    pub(crate) times: usize,
    /// The median.
    pub(crate) took: Duration,
    /// Nobody could be reached.
    pub(crate) refused: bool,
}

impl Chain {
    /// The chain of a run.
    pub(crate) fn of(snapshot: &Snapshot, traffic: &Traffic) -> Self {
        let place = |name: &str| snapshot.rows.iter().position(|row| row.id().as_str() == name);
        let seen = traffic.wiring().iter();
        let mut links: Vec<_> = seen.filter_map(|(from, to)| Some((place(from.as_str())?, place(to.as_str())?))).collect();
        for (from, row) in snapshot.rows.iter().enumerate() {
            if links.iter().any(|(talker, _)| *talker == from) {
                continue;
            }
            // `upstream ready`: whom it waits for, and until what.
            let wanted = row.info.waits_for.iter().filter_map(|what| place(what.split(' ').next()?));
            let serves = |to: &usize| *to != from && snapshot.rows[*to].info.role == ProcessRole::Service;
            links.extend(wanted.filter(serves).map(|to| (from, to)).collect::<Vec<_>>());
        }
        links.sort_unstable();
        links.dedup();
        let ranks = ranks(snapshot.rows.len(), &links);
        Self { ranks, links }
    }

    /// Who talks to `to`.
    pub(crate) fn talkers(&self, to: usize) -> impl Iterator<Item = usize> {
        self.links.iter().filter(move |(_, other)| *other == to).map(|(from, _)| *from)
    }

    /// Those in the middle: who is talked to and talks itself. Without any, nobody in particular.
    pub(crate) fn middle(&self, snapshot: &Snapshot) -> Vec<ProcessId> {
        (0..snapshot.rows.len()).filter(|row| self.is_between(*row)).map(|row| snapshot.rows[row].id().clone()).collect()
    }

    /// Whether somebody talks to it and it talks to somebody.
    pub(crate) fn is_between(&self, row: usize) -> bool {
        self.links.iter().any(|(from, _)| *from == row) && self.talkers(row).next().is_some()
    }
}

/// Each process one further than the furthest of those that talk to it. Where all talk in a circle the count ends somewhere.
fn ranks(processes: usize, links: &[(usize, usize)]) -> Vec<Vec<usize>> {
    let mut rank = vec![0; processes];
    for _ in 0..processes {
        for (from, to) in links {
            rank[*to] = rank[*to].max((rank[*from] + 1).min(processes - 1));
        }
    }
    let linked = |row: &usize| links.is_empty() || links.iter().any(|(from, to)| from == row || to == row);
    let mut ranks = vec![Vec::new(); processes];
    (0..processes).filter(linked).for_each(|row| ranks[rank[row]].push(row));
    ranks.retain(|rank| !rank.is_empty());
    ranks
}

/// Whether somebody wants an answer to it: what keeps a session (its stream, its end, a notification) is no call.
pub(crate) fn is_call(exchange: &Exchange) -> bool {
    match &exchange.call {
        Some(call) => call.kind == CallKind::Request,
        None => exchange.http.is_some() && exchange.session.is_none(),
    }
}

/// What the newest exchanges that `from` have had with `to` came to; none if there were none that are over by `now`. It is
/// asked for with every frame, so nothing in it is made or looked up for a row.
pub(crate) fn tally(traffic: &Traffic, from: &[&ProcessId], to: &ProcessId, now: At) -> Option<Tally> {
    let refusing: Vec<&ProcessId> = from.iter().copied().filter(|talker| beyond(traffic, talker) == Some(to)).collect();
    let mut first = None;
    let mut all: Vec<Duration> = Vec::new();
    for row in traffic.rows().rev().filter(|row| row.at <= now && is_call(row)).take(NEWEST) {
        // Whoever is not known is one of those who are.
        let came_of_it = if row.tap == *to && row.client.as_ref().is_none_or(|client| from.contains(&client)) {
            row.ended.filter(|(at, _)| *at <= now).map(|(at, _)| (Some(Answer::of(row, now)), at.since(row.at)))
        } else if refusing.contains(&&row.tap) && traffic.refused_beyond(row) {
            Some((None, Duration::ZERO))
        } else {
            None
        };
        let Some((answer, took)) = came_of_it else { continue };
        if *first.get_or_insert(answer) != answer {
            break;
        }
        all.push(took);
    }
    let refused = || Word { text: "refused".into(), role: Role::Bad };
    let (answer, middle) = (first?, all.len() / 2);
    let took = *all.select_nth_unstable(middle).1;
    Some(Tally { answer: answer.map_or_else(refused, Answer::word), times: all.len(), took, refused: answer.is_none() })
}

/// To whose tap a process talks.
fn beyond<'t>(traffic: &'t Traffic, process: &ProcessId) -> Option<&'t ProcessId> {
    traffic.wiring().iter().find(|(from, _)| from == process).map(|(_, to)| to)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_talked_to_stands_behind_all_who_talk_to_it() {
        assert_eq!(ranks(4, &[(2, 1), (3, 1), (1, 0)]), [vec![2, 3], vec![1], vec![0]]);
        assert_eq!(ranks(4, &[(0, 1), (1, 2), (0, 2)]), [vec![0], vec![1], vec![2]], "the fourth talks to nobody");
        assert_eq!(ranks(3, &[]), [vec![0, 1, 2]], "nobody is known to talk to anybody");
        assert!(!ranks(3, &[(0, 1), (1, 0), (2, 2)]).is_empty(), "a circle is no endless loop");
        assert_eq!(ranks(0, &[]), Vec::<Vec<usize>>::new());
    }
}
