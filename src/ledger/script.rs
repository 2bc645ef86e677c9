//! The Lua scripts: one transition each, all with the same head (`lua/prelude.lua`).

use redis::{
    FromRedisValue, RedisResult, Script, ScriptInvocation, ToRedisArgs, aio::ConnectionLike,
};

use super::state;

const PRELUDE: &str = include_str!("lua/prelude.lua");

macro_rules! scripts {
    ($($name:ident),+ $(,)?) => {
        /// Every script of the ledger, by name.
        pub(super) struct Scripts { $(pub(super) $name: Script),+ }

        impl Scripts {
            pub(super) fn load() -> Self {
                Self { $($name: compose(include_str!(concat!("lua/", stringify!($name), ".lua")))),+ }
            }
        }
    };
}

scripts!(
    accept,
    adopt,
    archive_missing,
    archived,
    cancel,
    cancelled,
    claim,
    collect,
    defer,
    expire,
    found,
    hold_back,
    intake,
    lost,
    missing,
    note,
    operator,
    progress,
    seal,
    settle,
    sweep,
);

/// The first line makes Redis refuse the script before it starts when memory is full, instead of in its middle.
fn compose(body: &str) -> Script {
    Script::new(&format!("#!lua\n{}{PRELUDE}\n{body}", state::as_lua()))
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

    pub(super) async fn invoke<T: FromRedisValue>(
        self,
        redis: &mut impl ConnectionLike,
    ) -> RedisResult<T> {
        self.0.invoke_async(redis).await
    }
}
