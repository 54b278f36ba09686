//! Messages that a server sends by itself, and progress ahead of an answer: all of them, in order, and as they
//! were sent. A proxy that holds a stream back until it ends is found out here.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::{
    super::{
        super::{log::millis, protocol::Message},
        CallError, Failure,
        caller::{Caller, Test},
    },
    run::misused,
};

/// The time between two messages, unless a rate says otherwise.
const INTERVAL: Duration = Duration::from_millis(20);

pub(super) async fn run(test: &Arc<Test>) -> Result<String, Failure> {
    let Some(count) = test.pace.total() else { return Err(misused(test, "it needs a number of calls")) };
    let interval = test.config.rate.map_or(INTERVAL, |rate| Duration::from_secs_f64(1.0 / rate));
    let mut caller = Caller::new(test)?;
    caller.handshake().await?;
    caller.list(&["notify", "count"]).await?;
    let streams = !test.config.revision.is_stateless();
    if streams {
        unasked(test, &mut caller, count, interval).await?;
    }
    ahead(test, &mut caller, count, interval).await?;
    caller.end().await?;
    Ok(if streams {
        format!("{count} of {count} messages streamed in order, and as many ahead of an answer")
    } else {
        format!("{count} of {count} messages streamed in order ahead of an answer")
    })
}

/// Messages on a stream of the session.
async fn unasked(test: &Test, caller: &mut Caller, count: u32, interval: Duration) -> Result<(), Failure> {
    let mut messages = caller.session().stream().await.map_err(|error| Failure::new("GET stream", error))?;
    test.log.info("GET stream opened");
    let arguments = json!({"count": count, "interval_ms": interval.as_millis() as u64});
    let patience = test.config.timeout + interval * count;
    let reading = tokio::time::timeout(patience, read(test, &mut messages, count));
    let (called, read) = tokio::join!(
        async {
            let outcome = caller.call("notify", arguments, None).await;
            (outcome, Instant::now())
        },
        reading
    );
    let (outcome, answered) = called;
    outcome.map_err(|error| Failure::new("tools/call notify", error))?;
    let first = read.map_err(|_| Failure::new("GET stream", CallError::Timeout(patience)))??;
    // The answer comes after the last message was sent, so the first was due long before.
    let due = interval * count.saturating_sub(1) / 2;
    if answered.saturating_duration_since(first) < due {
        let why = "the first message came as late as the answer: somebody holds the stream back";
        return Err(Failure::new("GET stream", CallError::Wrong(why.to_owned())));
    }
    let spread = millis(answered.saturating_duration_since(first));
    test.log.info(format_args!("{count} messages in order, the first {spread} before the answer"));
    Ok(())
}

/// Reads that many numbered messages; gives when the first one came.
async fn read(test: &Test, messages: &mut mpsc::Receiver<Message>, count: u32) -> Result<Instant, Failure> {
    let mut first = None;
    for n in 1..=count {
        let fail = |why: String| Failure::new(format!("message #{n}"), CallError::Wrong(why));
        let number = loop {
            let message = messages.recv().await.ok_or_else(|| fail("the stream ended before it".to_owned()))?;
            // Servers may say other things in between.
            if let Message::Notification { method, params } = &message
                && method == "notifications/message"
                && let Some(number) = params.pointer("/data/number").and_then(Value::as_u64)
            {
                break number;
            }
        };
        first.get_or_insert_with(Instant::now);
        if number != u64::from(n) {
            return Err(fail(format!("message #{number} came in its place")));
        }
        test.log.info(format_args!("message #{n}"));
        test.log.raw(format_args!("##e2e progress {n} of {count} messages"));
    }
    Ok(first.unwrap_or_else(Instant::now))
}

/// Progress in the same stream as an answer.
async fn ahead(test: &Test, caller: &mut Caller, count: u32, interval: Duration) -> Result<(), Failure> {
    let step = "tools/call count";
    let arguments = json!({"to": count, "interval_ms": interval.as_millis() as u64});
    let called = caller.call("count", arguments, Some(1)).await;
    let answered = Instant::now();
    let (_, outcome) = called.map_err(|error| Failure::new(step, error))?;
    if !caller.session().is_http() {
        // On stdio, progress comes as any other message; it was read, or dropped, with those.
        return Ok(());
    }
    let progress: Vec<u64> = outcome.ahead.iter().filter_map(|(message, _)| progress_of(message)).collect();
    if progress != (1..=u64::from(count)).collect::<Vec<_>>() {
        return Err(Failure::new(step, CallError::Wrong(format!("wanted progress 1 to {count} ahead of the answer, got {progress:?}"))));
    }
    let first = outcome.ahead.first().map_or(answered, |(_, at)| *at);
    if answered.saturating_duration_since(first) < interval * count.saturating_sub(1) / 2 {
        let why = "the first progress came as late as the answer: somebody holds the stream back";
        return Err(Failure::new(step, CallError::Wrong(why.to_owned())));
    }
    test.log.info(format_args!("{step} → progress 1 to {count}, then the answer"));
    Ok(())
}

/// A whole number of progress; the protocol's type is a number, so some servers write 1.0.
fn progress_of(message: &Message) -> Option<u64> {
    match message {
        Message::Notification { method, params } if method == "notifications/progress" => {
            params.get("progress").and_then(Value::as_f64).filter(|progress| progress.fract() == 0.0).map(|progress| progress as u64)
        }
        _ => None,
    }
}
