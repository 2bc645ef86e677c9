//! Download links: bearer capabilities that expire.

use std::collections::HashMap;
use std::sync::Arc;

use uuid::Uuid;

use crate::forms::ExportFormat;

/// All links ever given out.
#[derive(Debug, Default)]
pub(crate) struct Links {
    all: HashMap<Arc<str>, Link>,
}

/// Where a link leads and until when.
#[derive(Debug, Clone)]
pub(crate) struct Link {
    pub(crate) task: Arc<str>,
    /// Virtual seconds.
    pub(crate) expires: f64,
    pub(crate) format: ExportFormat,
}

impl Links {
    /// A new link to a task's export.
    pub(crate) fn give(&mut self, link: Link) -> Arc<str> {
        let name: Arc<str> = Uuid::new_v4().simple().to_string().into();
        self.all.insert(Arc::clone(&name), link);
        name
    }

    pub(crate) fn get(&self, name: &str) -> Option<Link> {
        self.all.get(name).cloned()
    }

    /// Whether a link can still be used at a moment.
    pub(crate) fn is_fresh(&self, name: &str, now: f64) -> bool {
        self.all.get(name).is_some_and(|link| now < link.expires)
    }
}
