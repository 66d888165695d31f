//! Claims about stored blobs that need a folder.
