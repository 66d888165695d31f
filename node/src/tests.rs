//! What whole nodes do with each other, without sockets: the story of a copy, what is refused, and
//! that no crash, liar or damage makes a node lose, leak or stop.

mod backup;
pub(crate) mod bench;
mod cases;
mod classic;
mod copy;
mod liar;
mod live;
pub(crate) mod network;
mod people;
mod reach;
mod reading;
mod rebuild;
mod restore;
mod sets;
pub(crate) mod simulation;
mod wire;
