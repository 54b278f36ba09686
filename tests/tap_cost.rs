//! What a tap costs, as far as it can be counted; the measure is in `benches/tap.rs`.

#[path = "../benches/traffic/mod.rs"]
#[expect(unreachable_pub, reason = "the bench shares it")]
mod traffic;

use e2e_tui::tap::{Ending, Note};
use traffic::Rig;

#[test]
fn every_request_is_recorded_once_and_none_waits_for_the_next() {
    const REQUESTS: usize = 500;
    let rig = Rig::new();
    let (mut direct, mut tapped) = (Rig::connect(rig.direct), Rig::connect(rig.tapped));
    for _ in 0..REQUESTS {
        // The next one is asked once the last is answered: a tap that held anything back would hang here.
        Rig::ask(&mut direct);
        Rig::ask(&mut tapped);
    }
    let notes = rig.notes(REQUESTS, |note| matches!(note, Note::Ended(_)));
    let count = |of: fn(&Note) -> bool| notes.iter().filter(|note| of(note)).count();
    assert_eq!(count(|note| matches!(note, Note::Asked(asked) if asked.calls.len() == 1)), REQUESTS);
    assert_eq!(count(|note| matches!(note, Note::Answered(answered) if answered.status == 200)), REQUESTS);
    assert_eq!(count(|note| matches!(note, Note::Ended(ended) if ended.how == Ending::Answered)), REQUESTS);
    assert_eq!((rig.store.lost(), rig.store.look(e2e_tui::tap::Traffic::count)), (0, REQUESTS as u64));
}

#[test]
fn an_event_of_a_stream_goes_on_before_there_is_another() {
    const EVENTS: usize = 200;
    let rig = Rig::new();
    let (mut direct, mut tapped) = (Rig::listen(rig.direct), Rig::listen(rig.tapped));
    for number in 1..=EVENTS {
        rig.grant();
        // Only then the next is sent: whoever gathered events would wait for ever.
        Rig::hear(&mut direct, number);
        Rig::hear(&mut tapped, number);
    }
    let said = |note: &Note| matches!(note, Note::Said(_));
    assert_eq!(rig.notes(EVENTS, said).iter().filter(|note| said(note)).count(), EVENTS);
}
