//! Whether a tasker lives, and whether it is ready: what no check within the event loop can say.
//!
//! # Promises
//! - The engine is asked, not supposed: it lives if it answers within [`PING_TIMEOUT`].
//! - A blocked event loop is told, and makes a tasker unready; so does a store that refuses what is
//!   written. It lives all the same.
//!
//! Proof: `__test__/contract/http-health.test.mjs`.

use std::sync::Arc;

use tasker_core::error::Code;
use tasker_engine::effect::Answer;
use tasker_engine::input::{Input, Question};
use tokio::sync::Mutex;
use tokio::time::{Duration, Instant, timeout};

use crate::calls::{Engine, unexpected};
use crate::pulse::Pulse;

/// How long the engine may take to answer.
const PING_TIMEOUT: Duration = Duration::from_secs(2);
/// How long an answer of the engine is good for those who ask after.
const PING_KEPT: Duration = Duration::from_millis(500);
/// How long an event loop may be silent before the tasker is not ready, in milliseconds.
const UNREADY_MS_MIN: u64 = 10_000;

/// What is known of the health of a tasker.
pub(crate) struct Health {
    pulse: Arc<Pulse>,
    /// What the engine said last, and when.
    said: Mutex<Option<(Instant, Said)>>,
}

/// What the engine says: why its store refuses what is written, if it does. Or why it says nothing.
type Said = Result<Option<Box<str>>, Code>;

/// An answer to who asks: whether all is well, and words for people.
pub(crate) type Verdict = (bool, String);

impl Health {
    pub(crate) fn new(pulse: Arc<Pulse>) -> Self {
        Self { pulse, said: Mutex::const_new(None) }
    }

    /// Whether the engine answers. One question serves all who ask at a time.
    async fn ping(&self, engine: &Engine) -> Said {
        let mut said = self.said.lock().await;
        if let Some((at, answer)) = &*said
            && at.elapsed() < PING_KEPT
        {
            return answer.clone();
        }
        let answer = timeout(PING_TIMEOUT, asked(engine)).await.unwrap_or(Err(Code::Timeout));
        *said = Some((Instant::now(), answer.clone()));
        answer
    }

    /// Whether the tasker lives.
    pub(crate) async fn live(&self, engine: &Engine) -> Verdict {
        match self.ping(engine).await {
            Err(Code::Timeout) => (false, "stuck".to_owned()),
            Err(code) => (false, format!("closed {}", code.as_str())),
            Ok(_) => (true, self.word()),
        }
    }

    /// Whether it can do its work.
    pub(crate) async fn ready(&self, engine: &Engine, is_closing: bool) -> Verdict {
        if is_closing {
            return (false, "closing".to_owned());
        }
        match self.ping(engine).await {
            Err(Code::Timeout) => (false, "stuck".to_owned()),
            Err(code) => (false, code.as_str().to_owned()),
            Ok(Some(code)) => (false, code.into()),
            Ok(None) => {
                (self.pulse.blocked_now_ms().is_none_or(|ms| ms < UNREADY_MS_MIN), self.word())
            }
        }
    }

    fn word(&self) -> String {
        match self.pulse.blocked_now_ms() {
            Some(ms) => format!("ok loop-blocked {}.{}s", ms / 1_000, ms % 1_000 / 100),
            None => "ok".to_owned(),
        }
    }
}

async fn asked(engine: &Engine) -> Said {
    match engine.call(Input::Ready).await {
        Ok(Answer::Done) => {}
        Ok(other) => return Err(unexpected(&other).code()),
        Err(error) => return Err(error.code()),
    }
    // A store that cannot be read refuses the question.
    match engine.call(|ticket| Input::Ask(ticket, Question::Refused)).await {
        Ok(Answer::Json(text)) => Ok(serde_json::from_str(&text).unwrap_or_default()),
        Ok(other) => Err(unexpected(&other).code()),
        Err(error) => Ok(Some(error.code().as_str().into())),
    }
}
