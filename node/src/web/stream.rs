//! Answers that show how far they are: one JSON object a line, the reply or error last.

use std::time::Duration;

use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};

use super::api::{failed, write};
use super::endpoint::Answer;
use crate::actions::{Caller, Error, Progress};

/// The media type by which a caller asks for such an answer.
pub(crate) const MEDIA_TYPE: &str = "application/x-ndjson";

/// Runs an action and tells how far it is: `{"progress":{"done":1,"total":9}}` lines, then one
/// `{"reply":..}` or `{"error":..}`.
pub(super) fn answer(mut caller: Caller, run: impl FnOnce(Caller) -> Answer) -> Response {
    // Only the newest step counts: a slow reader holds back neither the action nor memory.
    let (told, steps) = watch::channel((0, 0));
    caller.progress = Progress::new(move |done, total| {
        told.send_replace((done, total));
    });
    let lines = Lines {
        steps,
        run: Some(tokio::spawn(run(caller))),
        next_at: Instant::now(),
    };
    let body = Body::from_stream(futures_util::stream::unfold(lines, Lines::next));
    ([(CONTENT_TYPE, MEDIA_TYPE)], body).into_response()
}

struct Lines {
    steps: watch::Receiver<(u64, u64)>,
    // None after the last line.
    run: Option<JoinHandle<Result<String, Error>>>,
    next_at: Instant,
}

impl Lines {
    async fn next(mut self) -> Option<(Result<String, std::convert::Infallible>, Self)> {
        let run = self.run.as_mut()?;
        let step = async {
            if self.next_at > Instant::now() {
                sleep_until(self.next_at).await;
            }
            // The sender is gone when the action is about to end.
            if self.steps.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            biased;
            () = step => {
                let (done, total) = *self.steps.borrow_and_update();
                self.next_at = Instant::now() + PAUSE;
                let line = format!("{{\"progress\":{{\"done\":{done},\"total\":{total}}}}}\n");
                Some((Ok(line), self))
            }
            ended = run => {
                self.run = None;
                let ended = ended.unwrap_or_else(|_| Err(failed("this")));
                Some((Ok(last(ended)), self))
            }
        }
    }
}

fn last(ended: Result<String, Error>) -> String {
    match ended {
        Ok(reply) => format!("{{\"reply\":{reply}}}\n"),
        Err(error) => format!("{{\"error\":{}}}\n", write(&error)),
    }
}

/// Between two steps that are told: often enough for eyes.
const PAUSE: Duration = Duration::from_millis(100);
