//! A window that is driven over WebDriver: the real one, with the engine that it ships with.

use crate::program::Running;
use crate::wait::until;
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

const SOON: Duration = Duration::from_secs(30);

/// A driver and the program whose window it drives. The program ends with it.
pub struct Driven {
    port: u16,
    session: String,
    _driver: Running,
}

impl Driven {
    /// Starts `program` in the environment that `dress` makes.
    #[track_caller]
    pub fn start(folder: &Path, program: &Path, dress: impl Fn(&mut Command)) -> Self {
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let mut driver = Command::new("WebKitWebDriver");
        driver.arg(format!("--port={port}"));
        dress(&mut driver);
        // The program allows to be driven where this is set.
        driver.env("TAURI_WEBVIEW_AUTOMATION", "true");
        let log = folder.join("driven.log");
        let driver = Running::start(driver, &log);
        until("the driver", SOON, || {
            TcpStream::connect(("127.0.0.1", port)).map_err(|error| error.to_string())
        });
        let mut driven = Self {
            port,
            session: String::new(),
            _driver: driver,
        };
        let options = json!({"binary": program, "args": []});
        let wanted =
            json!({"capabilities": {"alwaysMatch": {"webkitgtk:browserOptions": options}}});
        let begun = driven.ask("POST", "/session", &wanted).unwrap();
        begun["sessionId"]
            .as_str()
            .unwrap()
            .clone_into(&mut driven.session);
        driven
    }

    /// One call; the answer's value.
    fn ask(&self, method: &str, path: &str, body: &Value) -> Result<Value, String> {
        let said = self
            .exchange(method, path, body)
            .map_err(|error| format!("{method} {path}: {error}"))?;
        let (head, body) = said.split_once("\r\n\r\n").unwrap_or((&said, ""));
        let answer: Value =
            serde_json::from_str(body).map_err(|error| format!("{error}: {said}"))?;
        if head.starts_with("HTTP/1.1 200") {
            Ok(answer["value"].clone())
        } else {
            Err(answer["value"].to_string())
        }
    }

    fn exchange(&self, method: &str, path: &str, body: &Value) -> std::io::Result<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
        // A program that dies at its start leaves the driver waiting.
        stream.set_read_timeout(Some(SOON))?;
        let body = if method == "POST" {
            body.to_string()
        } else {
            String::new()
        };
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )?;
        let mut said = String::new();
        stream.read_to_string(&mut said)?;
        Ok(said)
    }

    fn within(&self, path: &str) -> String {
        format!("/session/{}{path}", self.session)
    }

    /// Runs a script in the page; what it returns.
    ///
    /// # Errors
    /// What it throws.
    pub fn script(&self, script: &str) -> Result<Value, String> {
        let path = self.within("/execute/sync");
        self.ask("POST", &path, &json!({"script": script, "args": []}))
    }

    /// The same for a script that calls its last argument when it is done.
    ///
    /// # Errors
    /// As [`Driven::script`].
    pub fn script_later(&self, script: &str) -> Result<Value, String> {
        let path = self.within("/execute/async");
        self.ask("POST", &path, &json!({"script": script, "args": []}))
    }

    /// What is to be read in an element; empty where there is none.
    pub fn text(&self, selector: &str) -> Result<String, String> {
        let found = self.script(&format!(
            "return document.querySelector({})?.innerText ?? ''",
            json!(selector)
        ))?;
        Ok(found.as_str().unwrap_or_default().to_owned())
    }

    /// Waits until what is to be read in an element is as wanted.
    #[track_caller]
    pub fn until_text(&self, selector: &str, what: &str, wanted: impl Fn(&str) -> bool) -> String {
        until(what, SOON, || {
            let text = self.text(selector)?;
            if wanted(&text) { Ok(text) } else { Err(text) }
        })
    }

    /// Clicks on the first element that an XPath finds, where it is on the screen.
    #[track_caller]
    pub fn click(&self, xpath: &str) {
        until(xpath, SOON, || {
            let wanted = json!({"using": "xpath", "value": xpath});
            let found = self.ask("POST", &self.within("/element"), &wanted)?;
            let id = found
                .as_object()
                .and_then(|of| of.values().next()?.as_str());
            let id = id.ok_or("no element")?;
            let path = self.within(&format!("/element/{id}/click"));
            self.ask("POST", &path, &json!({})).map(drop)
        });
    }

    /// A picture of the page, as PNG in base64.
    #[track_caller]
    pub fn picture(&self) -> String {
        let value = self.ask("GET", &self.within("/screenshot"), &Value::Null);
        value.unwrap().as_str().unwrap().to_owned()
    }
}

impl Drop for Driven {
    fn drop(&mut self) {
        if !self.session.is_empty() {
            // Ends the program; where that fails, the driver's end does.
            let _ = self.ask("DELETE", &self.within(""), &Value::Null);
        }
    }
}
