//! A webhook: each line is the body of one POST. 2xx is an acknowledgement; a server that calls a body wrong will not like it
//! later either, so that one is set aside; anything else is tried again.

use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use url::Url;

use super::post::{Carried, Carrier};
use crate::config::SinkSettings;
use crate::failure::Failure;

/// For the connection, and for a request with its answer.
const CONNECT: Duration = Duration::from_secs(5);
const ANSWER: Duration = Duration::from_secs(10);
/// Answers are read up to here, so that the connection can be used again.
const BODY: u64 = 64 << 10;

pub(super) struct Webhook {
    agent: ureq::Agent,
    url: String,
    headers: Vec<(String, String)>,
}

#[derive(Deserialize)]
struct Id<'a> {
    #[serde(borrow)]
    id: Option<&'a str>,
}

impl Webhook {
    /// Connects with the first event.
    pub fn new(settings: &SinkSettings) -> Result<Self, Failure> {
        let text = settings.url.as_deref().unwrap_or_default();
        let wrong = |why: &dyn std::fmt::Display| Failure::usage(format!("webhook {}: {why}", settings.label()));
        let mut url = Url::parse(text).map_err(|e| wrong(&e))?;
        let mut headers: Vec<(String, String)> = settings.headers.iter().map(|(k, v)| (k.clone(), v.clone())).collect();
        if !url.username().is_empty() || url.password().is_some() {
            let plain = |s: &str| percent_encoding::percent_decode_str(s).decode_utf8_lossy().into_owned();
            let pair = format!("{}:{}", plain(url.username()), plain(url.password().unwrap_or_default()));
            headers.push(("Authorization".into(), format!("Basic {}", data_encoding::BASE64.encode(pair.as_bytes()))));
            let bare = url.set_username("").and_then(|()| url.set_password(None));
            bare.map_err(|()| wrong(&"its user and password cannot be used"))?;
        }
        let agent = ureq::Agent::new_with_config(
            ureq::Agent::config_builder()
                .timeout_connect(Some(CONNECT))
                .timeout_global(Some(ANSWER))
                .max_redirects(0)
                .http_status_as_error(false)
                .user_agent(concat!("framewright/", env!("CARGO_PKG_VERSION")))
                .build(),
        );
        Ok(Webhook { agent, url: url.into(), headers })
    }

    fn post(&self, line: &str) -> Result<u16, ureq::Error> {
        let mut request = self.agent.post(&self.url).header("Content-Type", "application/json");
        if let Ok(Id { id: Some(id) }) = serde_json::from_str(line) {
            request = request.header("Idempotency-Key", id);
        }
        for (key, value) in &self.headers {
            request = request.header(key, value);
        }
        let mut answer = request.send(line)?;
        let _ = answer.body_mut().with_config().limit(BODY).read_to_vec();
        Ok(answer.status().as_u16())
    }
}

impl Carrier for Webhook {
    const WINDOW: usize = 1;

    fn carry(&mut self, lines: &[Arc<str>]) -> Carried {
        let mut carried = Carried::default();
        for (n, line) in lines.iter().enumerate() {
            match self.post(line) {
                Ok(200..=299) => {}
                Ok(status @ (400 | 413 | 415 | 422)) => carried.refused.push((n, format!("status {status}"))),
                Ok(status) => carried.error = Some(format!("status {status}")),
                Err(e) => carried.error = Some(e.to_string()),
            }
            if carried.error.is_some() {
                break;
            }
            carried.settled += 1;
        }
        carried
    }
}
