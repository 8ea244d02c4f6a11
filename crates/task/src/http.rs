//! Executors and users in other processes, over HTTP.
//!
//! # Promises
//! - It is the server of `listen` of the Node.js class, with the same options.
//!
//! Proof: `task/tests/listening.rs`.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use serde_json::Value;
use tasker_http::server::Server;
use tasker_http::settings::Settings;
use tokio_util::sync::CancellationToken;

use crate::engine::Engine;
use crate::error::TaskError;
use crate::executor::TaskExecutor;

/// An open server. When it is dropped, it ends at once.
pub struct HttpServer {
    // Before the engine: its clients go first.
    server: Server,
    ended: CancellationToken,
    _engine: Arc<Engine>,
}

impl TaskExecutor {
    /// Opens an HTTP server for executors and users in other processes, which has a thread of its
    /// own. The options are those of `listen` of the Node.js class, such as `{"port": 0}` for a
    /// free port; by default it listens at port 8275 of this machine, with a token that it makes.
    ///
    /// # Errors
    /// `TASKER_INVALID` with the path of an option that is wrong, `TASKER_IO` if it cannot listen
    /// there.
    pub fn listen(&self, options: &Value) -> Result<HttpServer, TaskError> {
        let engine = self.engine()?;
        let handle = engine.handle().ok_or_else(TaskError::closed)?;
        let settings = Settings::read(&options.to_string())?;
        let ended = CancellationToken::new();
        let ending = ended.clone();
        let over = move || ending.cancel();
        let server = Server::listen(handle, settings, engine.defaults.clone(), None, over)?;
        Ok(HttpServer { server, ended, _engine: Arc::clone(engine) })
    }
}

impl HttpServer {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// Its token, if it was made here or is the only one.
    pub fn token(&self) -> Option<&str> {
        self.server.token()
    }

    /// Takes no more connections, and waits until those are answered that are under way.
    pub async fn close(self) {
        self.server.close();
        self.ended.cancelled().await;
    }
}

impl fmt::Debug for HttpServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HttpServer({})", self.address())
    }
}
