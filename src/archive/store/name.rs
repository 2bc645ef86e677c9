//! What an archive is called: the id of its request and how it is packed, nothing else.

use std::fmt;

use gdpr_jobs::RequestId;

/// How an archive is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A zip: `ID.zip`.
    Zip,
    /// A zip that is encrypted with age: `ID.zip.age`.
    Age,
}

impl Form {
    fn ending(self) -> &'static str {
        match self {
            Self::Zip => ".zip",
            Self::Age => ".zip.age",
        }
    }

    /// The other one: a request has one archive, so a new one replaces that as well.
    pub(super) fn other(self) -> Self {
        match self {
            Self::Zip => Self::Age,
            Self::Age => Self::Zip,
        }
    }
}

/// The name of an archive within its store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Name {
    pub(super) request: RequestId,
    pub(super) form: Form,
}

impl Name {
    pub(super) fn new(request: &RequestId, form: Form) -> Self {
        Self { request: request.clone(), form }
    }

    /// `None` if it is not the name of an archive. The two endings exclude each other, so a name
    /// belongs to one request only.
    pub(super) fn parse(text: &str) -> Option<Self> {
        [Form::Zip, Form::Age].into_iter().find_map(|form| {
            let request = text.strip_suffix(form.ending())?.parse().ok()?;
            Some(Self { request, form })
        })
    }

    /// The name of the archive that this one replaces if the request was packed differently before.
    pub(super) fn other(&self) -> Self {
        Self::new(&self.request, self.form.other())
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.request, self.form.ending())
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_name_leads_back_to_its_request_and_form_however_odd_the_id() {
        for id in ["r-1", "a.zip", "a.zip.age", ".zip", ".tmp-x", "..", ".project", "zip.age"] {
            for form in [Form::Zip, Form::Age] {
                let name = Name::new(&id.parse().unwrap(), form);
                assert_eq!(Name::parse(&name.to_string()), Some(name));
            }
        }
    }

    #[test]
    fn what_is_no_archive_has_no_request() {
        for text in ["", ".zip", ".zip.age", "r.age", "r.ZIP", "a/b.zip", ".project", ".tmp-a"] {
            assert_eq!(Name::parse(text), None, "{text}");
        }
    }
}
