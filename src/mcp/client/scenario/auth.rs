//! A server that wants a token: it must refuse whoever has none, or a wrong one.

use std::sync::Arc;

use super::{
    super::{
        super::Token,
        CallError, Failure,
        caller::{Caller, Test},
    },
    run::{misused, summary},
};

pub(super) async fn run(test: &Arc<Test>) -> Result<String, Failure> {
    if test.config.token.is_none() {
        return Err(misused(test, "it needs a token to be served with: give one"));
    }
    refused(test, None, "initialize without a token").await?;
    refused(test, Some(&Token::new("not-the-token")), "initialize with a wrong token").await?;
    let mut caller = Caller::new(test)?;
    caller.handshake().await?;
    caller.list(&[test.config.tool.name()]).await?;
    while let Some(n) = test.pace.next().await {
        caller.tool(n).await?;
    }
    caller.end().await?;
    Ok(summary(test))
}

async fn refused(test: &Arc<Test>, token: Option<&Token>, step: &str) -> Result<(), Failure> {
    let mut caller = Caller::with_token(test, token)?;
    match caller.session().open().await {
        Err(CallError::Status { got: 401, .. }) => {
            test.log.info(format_args!("{step} → 401, as it must be"));
            Ok(())
        }
        Err(CallError::Status { got, .. }) => Err(Failure::new(step, CallError::Status { got, wanted: 401 })),
        Err(error) => Err(Failure::new(step, error)),
        Ok(_) => Err(Failure::new(step, CallError::Status { got: 200, wanted: 401 })),
    }
}
