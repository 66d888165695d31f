//! Claims about a share's life: the stories of its kinds, any order of arrival, and a partner that lies.

mod advanced;
mod bounds;
mod liar;
mod onward;
mod order;
mod races;
mod recover;
mod revocation;
mod standing;
mod story;
