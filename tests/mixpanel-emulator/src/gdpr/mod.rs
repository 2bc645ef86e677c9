//! The GDPR API: credentials first, then one file for each thing that can be asked.

mod cancel;
mod create;
mod poll;
pub(crate) mod shapes;

use std::sync::Arc;

use crate::call::{Call, Reply};
use crate::content::Content;
use crate::forms::{Auth, Toggle};
use crate::kind::{Kind, Route};
use crate::log::Entry;
use crate::settings::Settings;
use crate::state::State;

/// Carries a GDPR call out.
pub(crate) fn act(
    state: &mut State,
    call: &Call,
    route: &Route,
    content: &Content,
    entry: &mut Entry,
) -> Reply {
    if let Some(redirect) = redirect(state, call, route) {
        return redirect;
    }
    let project = match authorize(&state.settings, call) {
        Ok(project) => project,
        Err(refusal) => return refusal,
    };
    match (route, content) {
        (Route::Item { kind: Kind::Cancel, id }, _) => cancel::one(state, &project, id, entry),
        (Route::Item { id, kind }, _) => poll::poll(state, &project, *kind, id, entry),
        (_, Content::Cancel(ids)) => cancel::by_ids(state, &project, ids, entry),
        (Route::Collection { kind, .. }, Content::Create(request)) => match request {
            Ok(request) => create::create(state, &project, *kind, request, entry),
            Err(message) => shapes::error(400, message),
        },
        _ => shapes::error(400, "Invalid request body"),
    }
}

/// The project that a call may act for, or its refusal.
fn authorize(settings: &Settings, call: &Call) -> Result<Arc<str>, Reply> {
    let unauthorized = || shapes::error(401, "Unable to authenticate request");
    match settings.auth {
        Auth::Unauthorized => return Err(unauthorized()),
        Auth::Forbidden => {
            return Err(shapes::error(403, "User does not have access to this project"));
        }
        Auth::Check => {}
    }
    let bearer = call.authorization.as_deref().and_then(|value| value.strip_prefix("Bearer "));
    let bearer = bearer.ok_or_else(unauthorized)?;
    let project = call.query("token").unwrap_or_default();
    match settings.oauth_of(project) {
        Some(expected) if expected == bearer => Ok(project.into()),
        None if settings.all_projects().any(|(_, oauth)| oauth == bearer) => {
            Err(shapes::error(403, "User does not have access to this project"))
        }
        _ => Err(unauthorized()),
    }
}

/// The redirect of a POST without its slash, as frameworks that append slashes do it.
fn redirect(state: &mut State, call: &Call, route: &Route) -> Option<Reply> {
    let slashless = matches!(route, Route::Collection { slashed: false, .. });
    if !slashless || state.settings.redirect_slashless.pick(&mut state.dice) != Toggle::On {
        return None;
    }
    let query: String =
        url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&call.query).finish();
    Some(Reply::empty(301).with_header("location", format!("{}/?{query}", call.path)))
}
