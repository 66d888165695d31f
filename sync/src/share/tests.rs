//! Claims about a share's life: the story of a copy, any order of arrival, and a partner that lies.

mod bounds;
mod liar;
mod order;
mod story;
