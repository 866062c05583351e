//! MQTT 3.1.1: each line is a message of QoS 1. A connection that fails is given up with what was under way on it, which is
//! sent again on the next one: the queue, not the client, knows what is not acknowledged yet.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rumqttc::{Client, Connection, Event, MqttOptions, NetworkOptions, Packet, QoS, RecvTimeoutError, Transport};
use url::Url;

use super::post::{Carried, Carrier};
use crate::config::SinkSettings;
use crate::events::Run;
use crate::failure::Failure;

/// For the connection, and for a next acknowledgement.
const CONNECT: Duration = Duration::from_secs(5);
const ANSWER: Duration = Duration::from_secs(10);
const KEEP_ALIVE: Duration = Duration::from_secs(10);
/// Messages under way at once.
const UNDER_WAY: u16 = 100;
/// The largest message: a picture with very many detections.
const MESSAGE: usize = 16 << 20;

pub(super) struct Mqtt {
    options: MqttOptions,
    topic: String,
    link: Option<(Client, Connection)>,
}

impl Mqtt {
    /// Connects with the first event.
    pub fn new(settings: &SinkSettings) -> Result<Self, Failure> {
        let text = settings.url.as_deref().unwrap_or_default();
        let wrong = |why: &dyn std::fmt::Display| Failure::usage(format!("{}: {why}", settings.label()));
        let url = Url::parse(text).map_err(|e| wrong(&e))?;
        let plain = |s: &str| percent_encoding::percent_decode_str(s).decode_utf8_lossy().into_owned();
        let tls = url.scheme() == "mqtts";
        let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
        let port = url.port().unwrap_or(if tls { 8883 } else { 1883 });
        // A name of its own each time: brokers end the older of two connections of one name.
        let mut options = MqttOptions::new(format!("framewright-{}", Run::new(None, false).id), host, port);
        options.set_keep_alive(KEEP_ALIVE).set_clean_session(true).set_inflight(UNDER_WAY);
        options.set_max_packet_size(MESSAGE, MESSAGE);
        if !url.username().is_empty() {
            options.set_credentials(plain(url.username()), plain(url.password().unwrap_or_default()));
        }
        if tls {
            // The one that ureq brings; an error says that there is one already.
            let _ = rustls::crypto::ring::default_provider().install_default();
            options.set_transport(Transport::tls_with_default_config());
        }
        Ok(Mqtt { options, topic: plain(url.path().trim_start_matches('/')), link: None })
    }

    /// The connection, acknowledged by the broker.
    fn connect(&mut self) -> Result<&mut (Client, Connection), String> {
        if self.link.is_none() {
            let (client, mut connection) = Client::new(self.options.clone(), usize::from(UNDER_WAY) + 1);
            let mut network = NetworkOptions::new();
            network.set_connection_timeout(CONNECT.as_secs());
            connection.eventloop.set_network_options(network);
            loop {
                match connection.recv_timeout(CONNECT + Duration::from_secs(1)) {
                    Ok(Ok(Event::Incoming(Packet::ConnAck(_)))) => break,
                    Ok(Ok(_)) => {}
                    Ok(Err(e)) => return Err(e.to_string()),
                    Err(_) => return Err("no answer".into()),
                }
            }
            self.link = Some((client, connection));
        }
        self.link.as_mut().ok_or_else(|| "no connection".into())
    }

    fn exchange(&mut self, lines: &[Arc<str>], acknowledged: &mut usize) -> Result<(), String> {
        let topic = self.topic.clone();
        let (client, connection) = self.connect()?;
        for line in lines {
            client.try_publish(&topic, QoS::AtLeastOnce, false, line.as_bytes()).map_err(|e| e.to_string())?;
        }
        let mut heard = Instant::now();
        while *acknowledged < lines.len() {
            match connection.recv_timeout(Duration::from_secs(1)) {
                // They come in the order of the messages (MQTT 3.1.1, section 4.6).
                Ok(Ok(Event::Incoming(Packet::PubAck(_)))) => {
                    *acknowledged += 1;
                    heard = Instant::now();
                }
                Ok(Ok(_)) => {}
                Ok(Err(e)) => return Err(e.to_string()),
                Err(RecvTimeoutError::Disconnected) => return Err("the connection is closed".into()),
                Err(RecvTimeoutError::Timeout) => {}
            }
            if heard.elapsed() > ANSWER {
                return Err(format!("no acknowledgement for {} s", ANSWER.as_secs()));
            }
        }
        Ok(())
    }
}

impl Carrier for Mqtt {
    const WINDOW: usize = UNDER_WAY as usize;

    fn carry(&mut self, lines: &[Arc<str>]) -> Carried {
        let mut settled = 0;
        let error = self.exchange(lines, &mut settled).err();
        if error.is_some() {
            self.link = None;
        }
        Carried { settled, refused: Vec::new(), error }
    }

    fn quiet(&mut self) {
        // Sends the pings that are due, and notices a connection that has ended.
        if let Some((_, connection)) = &mut self.link {
            loop {
                match connection.recv_timeout(Duration::from_millis(2)) {
                    Ok(Ok(_)) => {}
                    Err(RecvTimeoutError::Timeout) => return,
                    Ok(Err(_)) | Err(RecvTimeoutError::Disconnected) => break,
                }
            }
            self.link = None;
        }
    }

    fn close(&mut self) {
        if let Some((client, mut connection)) = self.link.take()
            && client.try_disconnect().is_ok()
        {
            // Until the farewell is sent.
            while let Ok(Ok(event)) = connection.recv_timeout(Duration::from_millis(200)) {
                if matches!(event, Event::Outgoing(rumqttc::Outgoing::Disconnect)) {
                    break;
                }
            }
        }
    }
}
