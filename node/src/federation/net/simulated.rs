//! The network of tests: turmoil's inside a simulation, the system's outside of one.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net;
use turmoil::net as simulated;

/// A port that takes connections.
pub enum Listener {
    /// On loopback.
    Real(net::TcpListener),
    /// In a simulation.
    Simulated(simulated::TcpListener),
}

impl Listener {
    /// Binds a port.
    ///
    /// # Errors
    /// What the network says.
    pub async fn bind<A>(address: A) -> io::Result<Self>
    where
        A: net::ToSocketAddrs + turmoil::ToSocketAddrs,
    {
        match turmoil::in_simulation() {
            true => Ok(Self::Simulated(
                simulated::TcpListener::bind(address).await?,
            )),
            false => Ok(Self::Real(net::TcpListener::bind(address).await?)),
        }
    }

    /// Takes the next connection.
    ///
    /// # Errors
    /// What the network says.
    pub async fn accept(&self) -> io::Result<(Stream, SocketAddr)> {
        match self {
            Self::Real(listener) => {
                let (stream, from) = listener.accept().await?;
                Ok((Stream::Real(stream), from))
            }
            Self::Simulated(listener) => {
                let (stream, from) = listener.accept().await?;
                Ok((Stream::Simulated(stream), from))
            }
        }
    }

    /// Where it listens.
    ///
    /// # Errors
    /// What the network says.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        match self {
            Self::Real(listener) => listener.local_addr(),
            Self::Simulated(listener) => listener.local_addr(),
        }
    }
}

/// A connection.
#[derive(Debug)]
pub enum Stream {
    /// Over loopback.
    Real(net::TcpStream),
    /// In a simulation.
    Simulated(simulated::TcpStream),
}

impl Stream {
    /// Connects to an address.
    ///
    /// # Errors
    /// What the network says.
    pub async fn connect(address: SocketAddr) -> io::Result<Self> {
        match turmoil::in_simulation() {
            true => Ok(Self::Simulated(
                simulated::TcpStream::connect(address).await?,
            )),
            false => Ok(Self::Real(net::TcpStream::connect(address).await?)),
        }
    }

    /// Whether small pieces are sent at once.
    ///
    /// # Errors
    /// What the network says.
    pub fn set_nodelay(&self, at_once: bool) -> io::Result<()> {
        match self {
            Self::Real(stream) => stream.set_nodelay(at_once),
            Self::Simulated(stream) => stream.set_nodelay(at_once),
        }
    }

    /// Drops what was not sent yet when it is closed.
    ///
    /// # Errors
    /// What the network says.
    pub fn set_zero_linger(&self) -> io::Result<()> {
        match self {
            Self::Real(stream) => stream.set_zero_linger(),
            Self::Simulated(_) => Ok(()),
        }
    }

    /// Who is at the other end.
    ///
    /// # Errors
    /// What the network says.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        match self {
            Self::Real(stream) => stream.peer_addr(),
            Self::Simulated(stream) => stream.peer_addr(),
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Real(stream) => Pin::new(stream).poll_read(cx, buffer),
            Self::Simulated(stream) => Pin::new(stream).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Real(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Simulated(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Real(stream) => Pin::new(stream).poll_flush(cx),
            Self::Simulated(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Real(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Simulated(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

/// The addresses of a name.
///
/// # Errors
/// What the network says.
pub async fn lookup_host((host, port): (&str, u16)) -> io::Result<std::vec::IntoIter<SocketAddr>> {
    let found: Vec<SocketAddr> = match turmoil::in_simulation() {
        true => simulated::lookup_host((host, port)).await?.collect(),
        false => net::lookup_host((host, port)).await?.collect(),
    };
    Ok(found.into_iter())
}
