import io.kroxylicious.proxy.KafkaProxy;
import io.kroxylicious.proxy.config.ConfigParser;
import io.kroxylicious.proxy.config.PortIdentifiesNodeIdentificationStrategy;
import io.kroxylicious.proxy.internal.clusternetworkaddressconfigprovider.RangeAwarePortPerNodeClusterNetworkAddressConfigProvider;
import io.kroxylicious.proxy.internal.clusternetworkaddressconfigprovider.RangeAwarePortPerNodeClusterNetworkAddressConfigProvider.RangeAwarePortPerNodeClusterNetworkAddressConfigProviderConfig;
import io.kroxylicious.proxy.internal.config.Features;
import io.kroxylicious.proxy.plugin.Plugin;
import io.kroxylicious.proxy.service.ClusterNetworkAddressConfigProvider;
import io.kroxylicious.proxy.service.ClusterNetworkAddressConfigProviderService;
import io.kroxylicious.proxy.service.HostPort;
import java.io.InputStream;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * Kroxylicious as a container runs it: it advertises the ports of its configuration, and listens on others of this machine,
 * as if a container engine had published them there. Arguments: the configuration (YAML), and the line that it says once it
 * serves. It ends with its stdin.
 */
public final class PublishedGateway {

    public static void main(String[] arguments) {
        try {
            ConfigParser parser = new ConfigParser();
            new KafkaProxy(parser, parser.parseConfiguration(arguments[0]), Features.defaultFeatures()).startup();
            System.out.println(arguments[1]);
            try (InputStream parent = System.in) {
                while (parent.read() >= 0) {}
            }
            Runtime.getRuntime().halt(0);
        } catch (Throwable error) {
            error.printStackTrace();
            Runtime.getRuntime().halt(1);
        }
    }

    /** Where ports are published: the one of the bootstrap at `firstPort`, and the following ones in their order. */
    public record Publication(String bindAddress, int firstPort, PortIdentifiesNodeIdentificationStrategy portIdentifiesNode) {}

    /** Kroxylicious' own addresses of a port each; only what is listened on differs. */
    @Plugin(configType = Publication.class)
    public static final class PublishedPorts implements ClusterNetworkAddressConfigProviderService<Publication> {
        @Override
        public ClusterNetworkAddressConfigProvider build(Publication publication) {
            var config = publication.portIdentifiesNode().get().config();
            var inside = new RangeAwarePortPerNodeClusterNetworkAddressConfigProvider()
                    .build((RangeAwarePortPerNodeClusterNetworkAddressConfigProviderConfig) config);
            return new Published(inside, publication);
        }
    }

    private record Published(ClusterNetworkAddressConfigProvider inside, Publication publication)
            implements ClusterNetworkAddressConfigProvider {

        private HostPort outside(HostPort address) {
            return new HostPort(address.host(), outside(address.port()));
        }

        private int outside(int port) {
            return publication.firstPort() + port - inside.getClusterBootstrapAddress().port();
        }

        @Override
        public HostPort getClusterBootstrapAddress() {
            return outside(inside.getClusterBootstrapAddress());
        }

        @Override
        public HostPort getBrokerAddress(int nodeId) {
            return outside(inside.getBrokerAddress(nodeId));
        }

        @Override
        public HostPort getAdvertisedBrokerAddress(int nodeId) {
            return inside.getAdvertisedBrokerAddress(nodeId);
        }

        @Override
        public Optional<String> getBindAddress() {
            return Optional.of(publication.bindAddress());
        }

        @Override
        public Set<Integer> getExclusivePorts() {
            return inside.getExclusivePorts().stream().map(this::outside).collect(Collectors.toSet());
        }

        @Override
        public Map<Integer, HostPort> discoveryAddressMap() {
            return inside.discoveryAddressMap().entrySet().stream()
                    .collect(Collectors.toMap(Map.Entry::getKey, node -> outside(node.getValue())));
        }
    }
}
