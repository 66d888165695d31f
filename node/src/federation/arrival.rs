//! What partners send with their calls, while it is not whole yet.
//!
//! Invariant: of each partner only so many calls are arriving at once, on all of its connections together, and
//! none for longer than a partner waits for its answer. What it does not fit is left where it is: in the windows
//! of the connection. What is in a call is not looked at.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use interdocket_sync::identity::OrganisationId;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep};
use tonic::Status;

/// The places in which calls arrive, by partner.
pub(super) struct Arrivals {
    /// How long a call may take to arrive.
    patience: Duration,
    places: Mutex<BTreeMap<OrganisationId, Arc<Semaphore>>>,
}

impl Arrivals {
    /// Begins with nothing under way.
    pub(super) fn new(patience: Duration) -> Self {
        let places = Mutex::default();
        Self { patience, places }
    }

    /// Waits for a place for what comes with a call.
    ///
    /// # Errors
    /// Where there is none in time.
    pub(super) async fn receive<B: Body>(
        &self,
        partner: OrganisationId,
        body: B,
    ) -> Result<Arriving<B>, Status> {
        if body.is_end_stream() {
            return Ok(Arriving { body, held: None });
        }
        let end = Instant::now() + self.patience;
        let places = self.of(partner).acquire_owned();
        let place = tokio::time::timeout_at(end, places).await;
        let place = place.map_err(|_| late())?;
        let place = place.map_err(|_| Status::unavailable("the node stops"))?;
        let held = Some((place, Box::pin(tokio::time::sleep_until(end))));
        Ok(Arriving { body, held })
    }

    fn of(&self, partner: OrganisationId) -> Arc<Semaphore> {
        let mut places = self
            .places
            .lock()
            .expect("nobody panics while holding the places");
        let new = || Arc::new(Semaphore::new(PLACES));
        Arc::clone(places.entry(partner).or_insert_with(new))
    }
}

/// What comes with a call; it gives its place back once it is whole.
pub(super) struct Arriving<B> {
    body: B,
    held: Option<(OwnedSemaphorePermit, Pin<Box<Sleep>>)>,
}

impl<B: Body<Data = Bytes> + Unpin> Body for Arriving<B>
where
    B::Error: Into<tonic::codegen::StdError>,
{
    type Data = Bytes;
    type Error = tonic::codegen::StdError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if let Some((_, end)) = &mut self.held
            && end.as_mut().poll(cx).is_ready()
        {
            return Poll::Ready(Some(Err(late().into())));
        }
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        if frame.is_none() || self.body.is_end_stream() {
            self.held = None;
        }
        Poll::Ready(frame.map(|frame| frame.map_err(Into::into)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

fn late() -> Status {
    Status::deadline_exceeded("the call did not come whole in time")
}

/// Calls of one partner that arrive at once: each takes as much memory as a message may be long.
const PLACES: usize = 8;

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;

    use super::*;

    /// What never comes whole.
    struct Never;

    impl Body for Never {
        type Data = Bytes;
        type Error = Status;

        fn poll_frame(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
            Poll::Pending
        }
    }

    fn partner(byte: u8) -> OrganisationId {
        OrganisationId::from_bytes([byte; 32])
    }

    /// fault C4
    #[tokio::test]
    async fn a_call_that_does_not_come_whole_is_given_up_and_its_place_with_it() {
        let arrivals = Arrivals::new(Duration::from_millis(50));
        let mut held = Vec::new();
        for _ in 0..PLACES {
            held.push(arrivals.receive(partner(1), Never).await.unwrap());
        }
        // Another partner has places of its own, and who sends nothing needs none.
        arrivals.receive(partner(2), Never).await.unwrap();
        let nothing = http_body_util::Empty::<Bytes>::new();
        arrivals.receive(partner(1), nothing).await.unwrap();
        assert!(arrivals.receive(partner(1), Never).await.is_err());
        for mut arriving in held {
            assert!(arriving.frame().await.unwrap().is_err());
        }
        arrivals.receive(partner(1), Never).await.unwrap();
    }

    #[tokio::test]
    async fn a_call_that_is_whole_holds_no_place_while_it_is_answered() {
        let arrivals = Arrivals::new(Duration::from_secs(60));
        let mut whole = Vec::new();
        for _ in 0..=PLACES {
            let body = http_body_util::Full::new(Bytes::from_static(b"all of it"));
            let mut arriving = arrivals.receive(partner(1), body).await.unwrap();
            assert!(arriving.frame().await.unwrap().is_ok());
            whole.push(arriving);
        }
    }
}
