//! Input devices themselves, without a display: what there is to sit at.

use std::sync::Arc;

use super::input_list::{self, Kind};
use super::{Senses, Surroundings};
use crate::sensors::presence::board::Post;

pub(super) async fn run(post: Post, here: Arc<Surroundings>, mut senses: Senses) {
    loop {
        match std::fs::read_to_string(&here.input_list) {
            Ok(list) => {
                let devices = input_list::parse(&list);
                let there = devices.iter().any(|device| device.kind == Kind::Desk);
                post.seat(there);
                if there {
                    post.works("Keyboards or mice are here.");
                } else {
                    post.works("No keyboard, mouse or touch screen is connected.");
                }
            }
            Err(error) => post.fails(format!(
                "The list of input devices, {}, cannot be read: {error}.",
                here.input_list.display()
            )),
        }
        senses.beats(1).await;
    }
}
