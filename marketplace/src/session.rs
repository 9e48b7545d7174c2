//! Challenges and sessions: a rig proves its key by signing a challenge that is used once and soon.

use crate::app::App;
use crate::board::{Mirror, OpenSession, Rig};
use crate::fault::Fault;
use crate::secret::{Token, random_hex};
use crate::store::{to_db, to_u64};
use futures_util::FutureExt;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use sublet_protocol::keys::{RigKey, rig_id};
use sublet_protocol::problem::ProblemCode;
use sublet_protocol::session::{Challenge, Session, SessionRequest};
use sublet_protocol::voucher::Channel;

/// How long a challenge can be answered.
const EXPIRES: Duration = Duration::from_secs(60);
/// The most that wait for an answer at once.
const MOST: usize = 10_000;
/// The most that one key may have waiting.
const MOST_OF_ONE: usize = 8;

/// Challenges that wait for an answer.
#[derive(Default)]
pub struct Challenges(Mutex<HashMap<String, (RigKey, Instant)>>);

impl Challenges {
    /// A new one.
    ///
    /// # Errors
    /// `too_many` where too many wait already.
    pub fn pose(&self, key: RigKey, audience: &str) -> Result<Challenge, Fault> {
        let challenge = random_hex::<32>()?;
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let of_this_key = waiting.values().filter(|(whose, _)| *whose == key).count();
        if waiting.len() >= MOST || of_this_key >= MOST_OF_ONE {
            waiting.retain(|_, (_, posed)| posed.elapsed() < EXPIRES);
            let of_this_key = waiting.values().filter(|(whose, _)| *whose == key).count();
            if waiting.len() >= MOST || of_this_key >= MOST_OF_ONE {
                return Err(Fault::refused(
                    ProblemCode::TooMany,
                    "Too many challenges wait for an answer; try again in a minute.",
                ));
            }
        }
        waiting.insert(challenge.clone(), (key, Instant::now()));
        Ok(Challenge {
            challenge,
            audience: audience.to_owned(),
            expires_in_ms: u64::try_from(EXPIRES.as_millis()).unwrap_or(u64::MAX),
        })
    }

    /// Uses one up: whatever comes of it, it holds no second time.
    fn take(&self, challenge: &str, key: &RigKey) -> bool {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        waiting
            .remove(challenge)
            .is_some_and(|(whose, posed)| whose == *key && posed.elapsed() < EXPIRES)
    }
}

/// Opens a session; any earlier one of the same rig is void from here on.
///
/// # Errors
/// `bad_challenge` and `bad_signature`; or the database does not take the new epoch.
pub async fn open(app: &App, request: SessionRequest) -> Result<Session, Fault> {
    if request.agent_version.len() > 200 {
        return Err(Fault::refused(
            ProblemCode::BadRequest,
            "`agent_version` takes 200 bytes at most",
        ));
    }
    if !app.challenges.take(&request.challenge, &request.rig_key) {
        return Err(Fault::refused(
            ProblemCode::BadChallenge,
            "The challenge is unknown, used, too old, or was given to another key. Ask for a new one.",
        ));
    }
    request.verify(&app.config.audience).map_err(|error| {
        Fault::refused(
            ProblemCode::BadSignature,
            format!(
                "The challenge was not signed as asked ({error}); the audience here is `{}`.",
                app.config.audience
            ),
        )
    })?;

    let id = rig_id(&request.rig_key);
    let channel = Channel::between(
        &app.voucher_key,
        &request.rig_key,
        app.config.voucher_domain.clone(),
    );
    let (rig, key, now) = (id.clone(), request.rig_key, crate::clock::now_ms());
    let (epoch, mirror) = app
        .db
        .change(move |tx| {
            async move {
                let epoch: i64 = sqlx::query_scalar(
                    "INSERT INTO rigs (id, key, epoch, agent, opened_ms) VALUES (?, ?, 1, ?, ?)
                     ON CONFLICT (id) DO UPDATE SET epoch = epoch + 1, agent = excluded.agent, opened_ms = excluded.opened_ms
                     RETURNING epoch",
                )
                .bind(rig.as_str())
                .bind(String::from(key))
                .bind(request.agent_version)
                .bind(to_db(now)?)
                .fetch_one(&mut tx.conn)
                .await?;
                tx.touch(&rig);
                tx.wrote(crate::rehearsal::SESSION);
                Ok((to_u64(epoch)?, Mirror::read(&mut tx.conn, &rig).await?))
            }
            .boxed()
        })
        .await?;

    // The rig may be on the board already, with a newer copy: `place` keeps that one.
    let placed = app.board.place(Rig::new(
        id.clone(),
        request.rig_key,
        channel.clone(),
        mirror,
    ));
    let token = Token::new(id.as_str())?;
    {
        let mut live = placed.live();
        if live.session.as_ref().is_some_and(|s| s.epoch > epoch) {
            return Err(Fault::refused(
                ProblemCode::StaleEpoch,
                "Another session of this rig was opened at the same moment.",
            ));
        }
        live.session = Some(OpenSession {
            token: token.clone(),
            epoch,
            opened: Instant::now(),
            seq: 0,
            fresh: true,
        });
        live.last_seen = Some(Instant::now());
        // An offer holds for the session that made it.
        live.offer = None;
    }
    placed.commands_ready.notify_waiters();
    tracing::info!(rig = %id, epoch, "session opened");
    Ok(Session {
        rig: id,
        token: token.reveal().to_owned(),
        epoch,
        audience: app.config.audience.clone(),
        fee: app.config.fee,
        channel,
        heartbeat_ms: app.config.timing.heartbeat_ms,
        fence_ms: app.config.timing.fence_ms(),
    })
}
