//! Calls that outlive their session.

use std::sync::Arc;

use super::{
    super::{
        super::log::clean,
        CallError, Failure,
        caller::{Caller, Test},
    },
    run::{misused, summary},
};

/// More sessions than one call may cost: a server that loses every one at once will not keep the next.
const MOST_LOSSES: u32 = 5;
/// Where the client ends its session itself when it does not know how many calls there will be.
const EARLY: u32 = 3;

pub(super) async fn run(test: &Arc<Test>) -> Result<String, Failure> {
    let mut caller = Caller::new(test)?;
    if !caller.session().is_http() {
        return Err(misused(test, "there are no sessions to lose on stdio"));
    }
    caller.handshake().await?;
    caller.list(&[test.config.tool.name()]).await?;
    let half_way = test.pace.total().map_or(EARLY, |total| total / 2 + 1);
    let mut sessions = 1;
    while let Some(n) = test.pace.next().await {
        if n == half_way && sessions == 1 {
            lose_on_purpose(test, &mut caller, n).await?;
            sessions += 1;
        }
        let mut losses = 0;
        loop {
            match caller.tool(n).await {
                Ok(()) => break,
                Err(Failure { error: CallError::Status { got: 404, .. }, .. }) if losses < MOST_LOSSES => {
                    test.log.warn(format_args!(
                        "tools/call {} #{n} → 404, the session is lost: a new handshake",
                        clean(test.config.tool.name())
                    ));
                    caller.handshake().await?;
                    (losses, sessions) = (losses + 1, sessions + 1);
                }
                Err(failure) => return Err(failure),
            }
        }
    }
    caller.end().await?;
    Ok(format!("{}, {sessions} sessions", summary(test)))
}

/// Ends the session and goes on in it: the server must say 404, and a new handshake must do.
async fn lose_on_purpose(test: &Arc<Test>, caller: &mut Caller, n: u32) -> Result<(), Failure> {
    let ended = caller.session().delete().await.map_err(|error| Failure::new("DELETE of the session", error))?;
    match ended {
        Some(200..=299) => test.log.info("ended the session: the next call must be refused"),
        status => {
            let status = status.map_or_else(|| "the server has none".to_owned(), |status| format!("the server says {status}"));
            test.log.info(format_args!("the session cannot be ended, {status}: a new handshake all the same"));
            return caller.handshake().await;
        }
    }
    match caller.call_tool(n).await {
        Err(CallError::Status { got: 404, .. }) => test.log.info("tools/call in the ended session → 404, as it must be"),
        Err(CallError::Status { got, .. }) => return Err(Failure::new(format!("tools/call #{n}"), CallError::Status { got, wanted: 404 })),
        Err(error) => return Err(Failure::new(format!("tools/call #{n}"), error)),
        Ok(()) => return Err(Failure::new(format!("tools/call #{n}"), CallError::Status { got: 200, wanted: 404 })),
    }
    caller.handshake().await
}
