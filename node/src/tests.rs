//! What whole nodes do with each other, without sockets: the story of a copy, what is refused, and
//! that no crash, liar or damage makes a node lose, leak or stop.

mod attachments;
mod backup;
pub(crate) mod bench;
mod cases;
mod classic;
mod copy;
pub(crate) mod erase;
mod features;
mod included;
mod incoming;
mod liar;
mod links;
mod live;
mod metadata;
pub(crate) mod network;
mod people;
mod portal;
mod reach;
mod reading;
mod rebuild;
mod recall;
mod reshare;
mod restore;
mod retention;
mod scale;
mod sets;
mod signin;
pub(crate) mod simulation;
mod watermark;
mod wire;
