//! What was measured since the last step began that did anything to the run, in the words of the tool and never of the author.

use std::{sync::Arc, time::Duration};

use crate::{
    model::{At, Phase, ProcessId, ProcessState, Role as ProcessRole, StepSnapshot, StepStage, human_duration},
    tap::{Ending, Exchange, Traffic},
    tui::{
        glyph::Glyph,
        scene::Scene,
        theme::Role,
        traffic::{Answer, Word},
    },
};

use super::chain::{Chain, is_call};

/// A call that has no answer for longer counts as left without one.
const PATIENCE: Duration = Duration::from_secs(5);

/// How far exchanges may lie from the order in which they began, in microseconds.
const DISORDER: u64 = 1_000_000;

/// A part of the sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) text: String,
    pub(crate) role: Role,
    /// What is less dear goes first where there is no room.
    pub(crate) dear: u8,
}

fn part(dear: u8, role: Role, text: String) -> Seen {
    Seen { text, role, dear }
}

/// The sentence, in parts.
pub(crate) fn seen(scene: &Scene<'_>) -> Vec<Seen> {
    let since = begun(scene);
    scene.look_at_traffic(|traffic| {
        let mut parts = gone(scene, &Chain::of(scene.snapshot, traffic));
        parts.extend(calls(traffic, since, scene.now, scene.look.glyph(Glyph::Times)));
        let failed = scene.snapshot.rows.iter().filter(|row| row.info.role == ProcessRole::Test);
        let failed = failed.filter(|row| matches!(row.state, ProcessState::Failed { .. } | ProcessState::GaveUp { .. }));
        parts.extend(failed.map(|row| part(4, Role::Bad, format!("{} failed", row.id()))));
        parts
    })
}

/// When the last step began that did anything to the run; without one, with the run.
pub(super) fn begun(scene: &Scene<'_>) -> At {
    let begun = |step: &&Arc<StepSnapshot>| matches!(step.stage, StepStage::Started | StepStage::Done | StepStage::Failed);
    let steps = scene.snapshot.steps.iter().filter(begun).filter(|step| !step.info.idle);
    steps.max_by_key(|step| step.at).and_then(|step| step.began).unwrap_or(At::START)
}

/// Who of the chain had begun and is not there. Once the run is taken down nobody is, and nobody is missed.
fn gone(scene: &Scene<'_>, chain: &Chain) -> Vec<Seen> {
    if scene.snapshot.phase != Phase::Running {
        return Vec::new();
    }
    let rows = chain.ranks.iter().flatten().filter_map(|row| scene.snapshot.rows.get(*row));
    let gone = rows.filter(|row| row.pid.is_none() && row.info.role == ProcessRole::Service);
    let told = |name: &str, since: Duration| part(5, Role::Bad, format!("{name} gone {}", human_duration(since)));
    gone.filter_map(|row| Some(told(row.id().as_str(), scene.now.since(row.ended?)))).collect()
}

/// How calls went at the first tap that they came through.
fn calls(traffic: &Traffic, since: At, now: At, times: &str) -> Vec<Seen> {
    let mut tallies: Vec<(&ProcessId, Answer, Vec<Duration>)> = Vec::new();
    let (mut all, mut unanswered, mut added) = (0, 0, Vec::new());
    // They lie nearly as they came: where one is this old, those before it are.
    let lately = traffic.rows().rev().take_while(|row| At(row.at.0 + DISORDER) >= since);
    for row in lately.filter(|row| row.at >= since && row.at <= now && row.before.is_none() && is_call(row)) {
        all += 1;
        let took = row.ended.filter(|(at, _)| *at <= now).map(|(at, _)| at.since(row.at));
        // Over a pipe there is no status.
        let told = row.pipe.is_some() && row.ended.is_some_and(|(_, how)| how == Ending::Answered) && took.is_some();
        let answered = told || row.answer.is_some_and(|(at, _)| at <= now);
        unanswered += usize::from(!answered && (took.is_some() || now.since(row.at) > PATIENCE));
        added.extend(at_the_tap(traffic, row).filter(|_| took.is_some()));
        let Some(took) = took.filter(|_| answered) else { continue };
        let answer = Answer::of(row, now);
        match tallies.iter_mut().find(|(of, known, _)| *known == answer && **of == row.tap) {
            Some((.., all)) => all.push(took),
            None => tallies.push((&row.tap, answer, vec![took])),
        }
    }
    // Those seen last stand last.
    let tallies: Vec<(&ProcessId, Word, Vec<Duration>)> =
        tallies.into_iter().rev().map(|(tap, answer, all)| (tap, answer.word(), all)).collect();
    if all == 0 {
        return Vec::new();
    }
    let good = |word: &Word| word.role == Role::Good;
    let well: Vec<_> = tallies.iter().filter(|(_, word, _)| good(word)).map(|(_, word, all)| (word.text.clone(), all.len())).collect();
    let answered: usize = well.iter().map(|(_, times)| times).sum();
    let how = well.first().filter(|(first, _)| well.iter().all(|(text, _)| text == first)).map_or("", |(text, _)| text.as_str());
    let answered = (answered > 0).then(|| part(1, Role::Good, format!("{answered} answered {how}").trim_end().to_owned()));
    let trouble = unanswered > 0 || tallies.iter().any(|(_, word, ..)| !good(word));
    let mut parts = Vec::new();
    for (tap, word, mut took) in tallies.into_iter().filter(|(_, word, ..)| !good(word)) {
        let middle = took.len() / 2;
        let each = human_duration(whole(*took.select_nth_unstable(middle).1));
        let often = if took.len() == 1 { format!("once in {each}") } else { format!("{times}{} in {each} each", took.len()) };
        parts.push(part(3, Role::Warn, format!("{tap} answered {} {often}", word.text)));
    }
    if trouble {
        let (role, dear) = if unanswered > 0 { (Role::Bad, 4) } else { (Role::Good, 2) };
        let calls = if unanswered == 1 { "call" } else { "calls" };
        parts.push(part(dear, role, format!("{unanswered} {calls} left without an answer")));
        parts.extend(answered);
    } else {
        parts.push(part(3, Role::Plain, format!("{all} {}", if all == 1 { "call" } else { "calls" })));
        parts.extend(answered);
        parts.extend(median(added).map(|(tap, added)| part(2, Role::Plain, format!("{tap} adds {}", human_duration(whole(added))))));
    }
    parts
}

/// How much longer an exchange took than the one that was begun because of it, and who took that long.
fn at_the_tap<'t>(traffic: &Traffic, row: &'t Exchange) -> Option<(&'t ProcessId, Duration)> {
    let beyond = traffic.get(row.beyond?)?;
    let all = row.ended?.0.since(row.at);
    Some((&row.tap, all.saturating_sub(beyond.ended?.0.since(beyond.at))))
}

fn median<T>(mut all: Vec<(T, Duration)>) -> Option<(T, Duration)> {
    let middle = all.len() / 2;
    if all.is_empty() {
        return None;
    }
    all.select_nth_unstable_by_key(middle, |(_, took)| *took);
    Some(all.swap_remove(middle))
}

/// Whole milliseconds: nobody in a hall reads more.
fn whole(took: Duration) -> Duration {
    Duration::from_millis(u64::try_from(took.as_millis()).unwrap_or(u64::MAX))
}
