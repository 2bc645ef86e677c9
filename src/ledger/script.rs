//! The Lua scripts: one transition each, all with the same head (`lua/prelude.lua`).

use redis::{
    FromRedisValue, RedisResult, Script, ScriptInvocation, ToRedisArgs, aio::ConnectionLike,
};

use super::state;

const PRELUDE: &str = include_str!("lua/prelude.lua");

/// What takes entries off the queue must work when memory is full, or it would stay full.
const DRAINING: [&str; 3] = ["events_lease", "wire_claim", "wire_settle"];

macro_rules! scripts {
    ($($name:ident),+ $(,)?) => {
        /// Every script of the ledger, by name.
        pub(super) struct Scripts { $(pub(super) $name: Script),+ }

        impl Scripts {
            pub(super) fn load() -> Self {
                Self { $($name: compose(stringify!($name), include_str!(concat!("lua/", stringify!($name), ".lua")))),+ }
            }
        }
    };
}

scripts!(
    accept,
    acknowledge,
    adopt,
    archive_missing,
    archived,
    cancel,
    cancelled,
    claim,
    collect,
    defer,
    events_lease,
    expire,
    found,
    hold_back,
    intake,
    lost,
    missing,
    note,
    operator,
    progress,
    retain,
    retry_event,
    seal,
    settle,
    sweep,
    unsent,
    wire_claim,
    wire_settle,
);

/// The first line makes Redis refuse the script before it starts when memory is full, instead of in its middle.
fn compose(name: &str, body: &str) -> Script {
    let flags = if DRAINING.contains(&name) { " flags=allow-oom" } else { "" };
    Script::new(&format!("#!lua{flags}\n{}{PRELUDE}\n{body}", state::as_lua()))
}

/// One call of a script, while its arguments are put together.
pub(super) struct Call<'a>(ScriptInvocation<'a>);

impl<'a> Call<'a> {
    pub(super) fn new(script: &'a Script, ledger_key: &str, head: &[String]) -> Self {
        let mut invocation = script.prepare_invoke();
        invocation.key(ledger_key).arg(head);
        Self(invocation)
    }

    pub(super) fn arg(mut self, value: impl ToRedisArgs) -> Self {
        self.0.arg(value);
        self
    }

    /// Runs it. May be called again: a script that has run changes nothing the second time.
    pub(super) async fn invoke<T: FromRedisValue>(
        &self,
        redis: &mut impl ConnectionLike,
    ) -> RedisResult<T> {
        self.0.invoke_async(redis).await
    }
}
