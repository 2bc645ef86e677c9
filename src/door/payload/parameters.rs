//! What a call says beside its records: in the query, or (Python, Ruby) in the form.

use url::form_urlencoded;

/// Longest name of a JSONP function.
const MAX_CALLBACK: usize = 64;

/// The parameters that Mixpanel's endpoints know and that matter here. `redirect` is not among them: following it would
/// send browsers wherever a link says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::door) struct Parameters {
    /// Whether the client's address may give a place, if said; `ip=0` anywhere is a no.
    pub(in crate::door) ip: Option<bool>,
    /// `strict`, if said.
    pub(in crate::door) strict: Option<bool>,
    /// Whether the records came as `data`.
    pub(in crate::door) form: bool,
    verbose: bool,
    img: bool,
    callback: Option<String>,
}

/// In which form the sender wants the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::door) enum Voice {
    /// `1` or `0`.
    Plain,
    /// JSON with `status` and `error`.
    Verbose,
    /// A picture of one pixel.
    Pixel,
    /// A call of this function.
    Callback(String, bool),
    /// JSON with `code`, `status` and the number of records.
    Import,
}

impl Parameters {
    /// Reads a query; returns its `data` apart.
    pub(in crate::door) fn from_query(query: &str) -> (Self, Option<String>) {
        let (mut parameters, mut data) = (Self::default(), None);
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            if name == "data" {
                data.get_or_insert(value.into_owned());
            } else {
                parameters.absorb(&name, &value);
            }
        }
        (parameters, data)
    }

    /// Takes one parameter in.
    pub(in crate::door) fn absorb(&mut self, name: &str, value: &str) {
        let on = matches!(value, "1" | "true");
        match name {
            "ip" if matches!(value, "0" | "false") => self.ip = Some(false),
            "ip" if on => self.ip = self.ip.or(Some(true)),
            "verbose" => self.verbose |= on,
            "strict" => self.strict = Some(on),
            "img" => self.img |= on,
            "callback" if is_function_name(value) => self.callback = Some(value.to_owned()),
            _ => {}
        }
    }

    /// How to answer a call of `/import` (`import`) or of another endpoint. Python, Ruby and Node send imports as a form
    /// and expect the answer of the other endpoints.
    pub(in crate::door) fn voice(&self, import: bool) -> Voice {
        if import && (!self.form || self.strict.is_some()) {
            return Voice::Import;
        }
        match &self.callback {
            Some(name) => Voice::Callback(name.clone(), self.verbose),
            None if self.img => Voice::Pixel,
            None if self.verbose || self.strict == Some(true) => Voice::Verbose,
            None => Voice::Plain,
        }
    }
}

/// Names and dots only: the answer is JavaScript, and nothing but a call of a function shall ever be in it.
fn is_function_name(name: &str) -> bool {
    let is_name = |part: &str| {
        !part.starts_with(|c: char| c.is_ascii_digit())
            && !part.is_empty()
            && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"_$".contains(&b))
    };
    name.len() <= MAX_CALLBACK && name.split('.').all(is_name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn voice(query: &str) -> Voice {
        Parameters::from_query(query).0.voice(false)
    }

    #[test]
    fn the_answer_has_the_form_that_was_asked_for() {
        assert_eq!(voice("ip=1&_=123"), Voice::Plain);
        assert_eq!(voice("verbose=1"), Voice::Verbose);
        assert_eq!(voice("verbose=0"), Voice::Plain);
        assert_eq!(voice("img=1&verbose=1"), Voice::Pixel);
        assert_eq!(
            voice("callback=mp._jsc.a1&verbose=1"),
            Voice::Callback("mp._jsc.a1".to_owned(), true)
        );
    }

    #[test]
    fn a_callback_is_a_name_and_nothing_else() {
        for bad in [
            "alert(1)",
            "(function(){})",
            "a b",
            "a..b",
            "1a",
            "",
            "x;y",
            "a%5B0%5D",
            &"x".repeat(65),
        ] {
            assert_eq!(voice(&format!("callback={bad}")), Voice::Plain, "{bad}");
        }
    }

    #[test]
    fn an_import_as_a_form_is_answered_like_the_other_endpoints_unless_it_says_strict() {
        let form = Parameters { form: true, verbose: true, ..Parameters::default() };
        assert_eq!(form.voice(true), Voice::Verbose);
        assert_eq!(Parameters { strict: Some(false), ..form }.voice(true), Voice::Import);
        assert_eq!(Parameters::default().voice(true), Voice::Import);
    }
}
