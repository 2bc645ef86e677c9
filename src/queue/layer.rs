//! The tower layer that turns the end of a handler into a verdict about its entries.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use apalis_core::{
    error::BoxDynError,
    layers::{Layer, Service},
    task::Task,
};

use super::delivery::Delivery;

/// Put around every handler by [`StreamQueue`](super::StreamQueue): `Ok` acknowledges the
/// delivery, `Err` has it delivered again after a pause.
#[derive(Clone, Copy, Debug)]
pub struct AcknowledgeLayer;

impl<S> Layer<S> for AcknowledgeLayer {
    type Service = Acknowledge<S>;

    fn layer(&self, inner: S) -> Acknowledge<S> {
        Acknowledge { inner }
    }
}

/// See [`AcknowledgeLayer`].
#[derive(Clone)]
pub struct Acknowledge<S> {
    inner: S,
}

impl<S> fmt::Debug for Acknowledge<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Acknowledge")
    }
}

impl<S, T> Service<Task<Delivery<T>>> for Acknowledge<S>
where
    S: Service<Task<Delivery<T>>>,
    S::Future: Send + 'static,
    S::Error: Into<BoxDynError>,
    S::Response: Send,
{
    type Response = S::Response;
    type Error = BoxDynError;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, BoxDynError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxDynError>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, task: Task<Delivery<T>>) -> Self::Future {
        let hold = task.args.hold();
        hold.start();
        let handler = self.inner.call(task);
        Box::pin(async move {
            let result = handler.await.map_err(Into::into);
            hold.end(result.is_ok());
            result
        })
    }
}
