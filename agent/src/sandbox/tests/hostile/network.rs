//! A job has no network. Each listener stands ready, and is reached by a container that has one.

use super::{Freedom, Scene, attacks, unique};
use bollard::models::{Ipam, IpamConfig, NetworkCreateRequest};
use std::collections::HashMap;
use std::net::{IpAddr, TcpListener, UdpSocket};

attacks! {
    sockets_beneath_the_network: "raw-sockets", Freedom::privileged();
    the_machine_beneath: "vsock", Freedom::privileged();
    interfaces_of_its_own: "new-interface", Freedom::privileged();
    interfaces_of_the_host: "interfaces", Freedom::privileged();
}

/// Somebody on the host who listens; the system itself takes connections up, so nobody need answer.
fn listener(address: &str) -> (TcpListener, u16) {
    let listener = TcpListener::bind(format!("{address}:0")).unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

fn on_the_hosts_network() -> Freedom {
    Freedom::plain().with(|host| host.network_mode = Some("host".into()))
}

#[tokio::test]
async fn the_agents_dashboard_is_out_of_reach() {
    let (_listener, port) = listener("127.0.0.1");
    let words = ["dial", &format!("127.0.0.1:{port}")];
    Scene::set()
        .await
        .holds(&words, on_the_hosts_network())
        .await;
}

#[tokio::test]
async fn loopback_of_the_newer_protocol_is_out_of_reach() {
    let (_listener, port) = listener("[::1]");
    let words = ["dial", &format!("[::1]:{port}")];
    Scene::set()
        .await
        .holds(&words, on_the_hosts_network())
        .await;
}

#[tokio::test]
async fn the_registry_is_out_of_reach() {
    let scene = Scene::set().await;
    let address = scene.image.name().split('/').next().unwrap().to_owned();
    scene
        .holds(&["dial", &address], on_the_hosts_network())
        .await;
}

#[tokio::test]
async fn the_hosts_own_addresses_are_out_of_reach() {
    let scene = Scene::set().await;
    let (_listener, port) = listener("0.0.0.0");
    let network = network_of(&scene, "10.213.79.0/24").await;
    let mut words = vec!["dial".to_owned(), format!("10.213.79.1:{port}")];
    words.extend(outward_address().map(|address| format!("{address}:{port}")));
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    // A network of Docker's: the way out that a container has where nobody forbids it.
    let free = Freedom::plain().with(|host| host.network_mode = Some(network.clone()));
    scene.holds(&words, free).await;
    let docker = &scene.stage.sandbox.docker;
    docker.remove_network(&network).await.unwrap();
}

/// Makes a network with these addresses, of which the host has the first, and returns its name.
async fn network_of(scene: &Scene, subnet: &str) -> String {
    let name = format!("sublet-{}", unique("lan"));
    let request = NetworkCreateRequest {
        name: name.clone(),
        ipam: Some(Ipam {
            config: Some(vec![IpamConfig {
                subnet: Some(subnet.to_owned()),
                ..IpamConfig::default()
            }]),
            ..Ipam::default()
        }),
        labels: Some(HashMap::from([("sublet.test".into(), "lan".into())])),
        ..NetworkCreateRequest::default()
    };
    let docker = &scene.stage.sandbox.docker;
    docker.create_network(request).await.unwrap();
    name
}

/// The host's address on the way out, where it has one. Nothing is sent.
fn outward_address() -> Option<IpAddr> {
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    socket.connect("192.0.2.1:9").ok()?;
    Some(socket.local_addr().unwrap().ip())
}

#[tokio::test]
async fn no_abstract_socket_of_the_host_is_reached() {
    use std::os::linux::net::SocketAddrExt;
    let name = unique("socket");
    let address = std::os::unix::net::SocketAddr::from_abstract_name(&name).unwrap();
    let _listener = std::os::unix::net::UnixListener::bind_addr(&address).unwrap();
    let words = ["abstract-socket", &name];
    Scene::set()
        .await
        .holds(&words, on_the_hosts_network())
        .await;
}

/// Another machine: a network namespace of its own, with an address, and somebody who listens there.
struct Neighbour {
    network: String,
    container: String,
    address: String,
}

impl Neighbour {
    async fn at(scene: &Scene, address: &str, subnet: &str) -> Neighbour {
        let network = network_of(scene, subnet).await;
        let free = Freedom::plain().with(|host| host.network_mode = Some(network.clone()));
        let container = free
            .with_address(address)
            .start(scene, &["listen", "0.0.0.0:53"])
            .await;
        super::super::stage::until("the neighbour listens", async || {
            scene.said(&container).await.contains("ready")
        })
        .await;
        Neighbour {
            network,
            container,
            address: format!("{address}:53"),
        }
    }

    async fn gone(self, scene: &Scene) {
        scene.end(&self.container).await;
        scene
            .stage
            .sandbox
            .docker
            .remove_network(&self.network)
            .await
            .unwrap();
    }
}

async fn out_of_reach(word: &str, address: &str, subnet: &str) {
    let scene = Scene::set().await;
    let neighbour = Neighbour::at(&scene, address, subnet).await;
    scene
        .holds(&[word, &neighbour.address], on_the_hosts_network())
        .await;
    neighbour.gone(&scene).await;
}

#[tokio::test]
async fn the_lan_is_out_of_reach() {
    out_of_reach("dial", "10.213.77.2", "10.213.77.0/24").await;
}

#[tokio::test]
async fn the_clouds_metadata_is_out_of_reach() {
    out_of_reach("dial", "169.254.169.254", "169.254.169.0/24").await;
}

#[tokio::test]
async fn no_name_server_carries_secrets_out() {
    out_of_reach("dns", "10.213.78.2", "10.213.78.0/24").await;
}
