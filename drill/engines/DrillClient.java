import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.io.Writer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import java.util.stream.StreamSupport;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.TimeoutException;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.protocol.Errors;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * A service of the drill's users, on Kafka's own Java client: it writes, in transactions or not, or it reads. Arguments: its
 * role, the configuration that the drill's other clients have, as JSON, and the library's version. What it writes down has
 * the lines of record_log.py. SIGTERM lets it finish; it ends with its stdin.
 */
public final class DrillClient {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final int VALUE_BYTES = 200;
    private static final long TRANSACTION_MS = 500;
    private static final long FINISH_MS = 12_000;

    private static volatile boolean stopped;
    private static String version;
    private static final CountDownLatch OVER = new CountDownLatch(1);

    public static void main(String[] arguments) throws Exception {
        JsonNode config = JSON.readTree(arguments[1]);
        version = arguments[2];
        Thread orphan = new Thread(DrillClient::endWithParent, "parent-watch");
        orphan.setDaemon(true);
        orphan.start();
        Runtime.getRuntime().addShutdownHook(new Thread(DrillClient::finish, "stop"));
        try (Journal journal = new Journal(Path.of(config.get("log").asText()))) {
            switch (arguments[0]) {
                case "writer" -> new PlainWriter(config, journal).write();
                case "transactional" -> new TransactionalWriter(config, journal).write();
                case "reader" -> read(config, journal);
                default -> throw new IllegalArgumentException(arguments[0]);
            }
        } finally {
            OVER.countDown();
        }
    }

    private static void endWithParent() {
        try {
            while (System.in.read() >= 0) {}
        } catch (IOException gone) {
            // as if it had ended
        }
        stopped = true;
        try {
            OVER.await(1, TimeUnit.SECONDS);
        } catch (InterruptedException ignored) {
            Thread.currentThread().interrupt();
        }
        Runtime.getRuntime().halt(0);
    }

    private static void finish() {
        stopped = true;
        try {
            OVER.await(FINISH_MS, TimeUnit.MILLISECONDS);
        } catch (InterruptedException ignored) {
            Thread.currentThread().interrupt();
        }
        Runtime.getRuntime().halt(0);
    }

    private static Map<String, Object> settings(JsonNode config, Map<String, Object> own) {
        Map<String, Object> settings = new TreeMap<>(own);
        settings.put("bootstrap.servers", config.get("bootstrap").asText());
        config.path("settings").fields().forEachRemaining(each -> settings.put(each.getKey(), each.getValue().asText()));
        return settings;
    }

    private static void announce(Map<String, Object> settings) throws IOException {
        System.out.println(JSON.writeValueAsString(Map.of("settings", settings, "version", version)));
        System.out.flush();
    }

    private static List<String> topics(JsonNode config) {
        return StreamSupport.stream(config.get("topics").spliterator(), false).map(JsonNode::asText).toList();
    }

    private static String now() {
        return String.format(Locale.ROOT, "%.6f", System.currentTimeMillis() / 1000.0);
    }

    private static String inWords(Throwable error) {
        Errors known = Errors.forException(error);
        String name = known == Errors.UNKNOWN_SERVER_ERROR ? error.getClass().getSimpleName() : known.name();
        return name + " " + String.join(" ", String.valueOf(error.getMessage()).split("\\s+"));
    }

    /** What a client writes down, and when that reaches the file: at most a tenth of a second later. */
    private static final class Journal implements AutoCloseable {
        private final Writer file;
        private long flushed = System.nanoTime();

        Journal(Path path) throws IOException {
            Files.createDirectories(path.getParent());
            file = Files.newBufferedWriter(
                    path, StandardCharsets.UTF_8, StandardOpenOption.CREATE, StandardOpenOption.APPEND);
        }

        synchronized void write(String line) {
            try {
                file.write(line + "\n");
            } catch (IOException error) {
                throw new UncheckedIOException(error);
            }
        }

        void notice(String letter, String what) {
            write(letter + " " + now() + " " + what);
        }

        synchronized void tick() {
            if (System.nanoTime() - flushed < 100_000_000) {
                return;
            }
            try {
                file.flush();
            } catch (IOException error) {
                throw new UncheckedIOException(error);
            }
            flushed = System.nanoTime();
        }

        @Override
        public synchronized void close() throws IOException {
            file.close();
        }
    }

    /** A numbered record, and its place as the journal has it. */
    private record Numbered(long n, String place, ProducerRecord<byte[], byte[]> record) {}

    /** Writes numbered records at a steady pace, evenly over every partition of every topic. */
    private abstract static class RecordWriter {
        protected final Journal journal;
        protected final Map<String, Object> settings;
        protected KafkaProducer<byte[], byte[]> producer;
        private final JsonNode config;
        private final List<String> topics;
        private final int partitions;
        private final long first;
        private long next;

        RecordWriter(JsonNode config, Journal journal, Map<String, Object> own) {
            this.config = config;
            this.journal = journal;
            settings = settings(config, own);
            topics = topics(config);
            partitions = config.path("partitions").asInt(4);
            first = next = config.path("first_number").asLong();
        }

        final void write() throws IOException, InterruptedException {
            renew();
            announce(settings);
            long interval = (long) (1e9 / config.get("rate").asDouble());
            long due = System.nanoTime();
            while (!stopped) {
                if (System.nanoTime() >= due) {
                    due = Math.max(due, System.nanoTime() - 20_000_000) + interval;
                    send(numbered());
                }
                settle(false);
                journal.tick();
                TimeUnit.NANOSECONDS.sleep(Math.max(0, Math.min(due - System.nanoTime(), 50_000_000)));
            }
            settle(true);
            producer.close(Duration.ofMillis(FINISH_MS / 2));
        }

        final void renew() {
            producer = new KafkaProducer<>(settings, new ByteArraySerializer(), new ByteArraySerializer());
            begin();
        }

        abstract void begin();

        abstract void send(Numbered numbered);

        abstract void settle(boolean last);

        final void acknowledge(Numbered numbered, RecordMetadata metadata) {
            journal.write("a " + numbered.place + " " + metadata.offset() + " " + now());
        }

        final void fail(Numbered numbered, Throwable error) {
            journal.write("f " + numbered.place + " " + now() + " " + inWords(error));
        }

        private Numbered numbered() throws IOException {
            long n = next++;
            int slots = topics.size() * partitions;
            long sequence = (n - first) / slots;
            int slot = (int) ((n - first) % slots);
            String topic = topics.get(slot % topics.size());
            int partition = slot / topics.size();
            String place = n + " " + topic + " " + partition;
            byte[] value = Arrays.copyOf(JSON.writeValueAsBytes(Map.of("n", n, "sequence", sequence)), VALUE_BYTES);
            byte[] key = (topic + "-" + partition + "-" + sequence).getBytes(StandardCharsets.UTF_8);
            ProducerRecord<byte[], byte[]> record = new ProducerRecord<>(topic, partition, key, value);
            record.headers().add("n", Long.toString(n).getBytes(StandardCharsets.UTF_8));
            journal.write("s " + place + " " + now());
            return new Numbered(n, place, record);
        }
    }

    /** Each record by itself. */
    private static final class PlainWriter extends RecordWriter {
        PlainWriter(JsonNode config, Journal journal) {
            super(config, journal, Map.of("client.id", "orders-writer", "linger.ms", "5"));
        }

        @Override
        void begin() {}

        @Override
        void send(Numbered numbered) {
            try {
                producer.send(numbered.record, (metadata, error) -> {
                    if (error == null) {
                        acknowledge(numbered, metadata);
                    } else {
                        fail(numbered, error);
                    }
                });
            } catch (KafkaException error) {
                fail(numbered, error);
            }
        }

        @Override
        void settle(boolean last) {}
    }

    /** In transactions: one that is aborted gives all its records back; what ends a producer has a new one made. */
    private static final class TransactionalWriter extends RecordWriter {
        private final List<Numbered> open = new ArrayList<>();
        private final Map<Long, RecordMetadata> stored = new ConcurrentHashMap<>();
        private long began;

        TransactionalWriter(JsonNode config, Journal journal) {
            super(config, journal, Map.of("client.id", "orders-writer", "linger.ms", "5"));
        }

        @Override
        void begin() {
            while (!stopped) {
                try {
                    producer.initTransactions();
                    return;
                } catch (KafkaException error) {
                    journal.notice("e", inWords(error));
                }
            }
        }

        @Override
        void send(Numbered numbered) {
            try {
                if (open.isEmpty()) {
                    producer.beginTransaction();
                    began = System.nanoTime();
                }
                open.add(numbered);
                producer.send(numbered.record, (metadata, error) -> {
                    if (error == null) {
                        stored.put(numbered.n, metadata);
                    }
                });
            } catch (KafkaException error) {
                if (!open.contains(numbered)) {
                    open.add(numbered);
                }
                giveUp(error);
            }
        }

        @Override
        void settle(boolean last) {
            if (open.isEmpty() || !(last || System.nanoTime() - began >= TRANSACTION_MS * 1_000_000)) {
                return;
            }
            while (true) {
                try {
                    producer.commitTransaction();
                    break;
                } catch (TimeoutException unknown) { // whether it is committed: all that may be done is to ask again
                    journal.notice("e", inWords(unknown));
                    journal.tick();
                    if (stopped) {
                        return;
                    }
                } catch (KafkaException error) {
                    giveUp(error);
                    return;
                }
            }
            for (Numbered numbered : open) {
                acknowledge(numbered, stored.get(numbered.n));
            }
            forget();
        }

        private void giveUp(KafkaException error) {
            journal.notice("e", inWords(error));
            try {
                producer.abortTransaction();
            } catch (KafkaException | IllegalStateException fatal) {
                journal.notice("x", inWords(fatal));
                producer.close(Duration.ZERO);
                renew();
            }
            open.forEach(numbered -> fail(numbered, error));
            forget();
        }

        private void forget() {
            open.clear();
            stored.clear();
        }
    }

    private static void read(JsonNode config, Journal journal) throws IOException {
        Map<String, Object> settings = settings(config, Map.of(
                "client.id", "orders-reader",
                "group.id", config.get("group").asText(),
                "auto.offset.reset", "earliest"));
        KafkaConsumer<byte[], byte[]> consumer =
                new KafkaConsumer<>(settings, new ByteArrayDeserializer(), new ByteArrayDeserializer());
        consumer.subscribe(topics(config), new ConsumerRebalanceListener() {
            @Override
            public void onPartitionsAssigned(Collection<TopicPartition> partitions) {
                changed("assigned", partitions);
            }

            @Override
            public void onPartitionsRevoked(Collection<TopicPartition> partitions) {
                changed("revoked", partitions);
            }

            @Override
            public void onPartitionsLost(Collection<TopicPartition> partitions) {
                changed("lost", partitions);
            }

            private void changed(String what, Collection<TopicPartition> partitions) {
                journal.notice("p", what + " " + partitions.stream()
                        .map(each -> each.topic() + ":" + each.partition())
                        .sorted()
                        .collect(Collectors.joining(",")));
            }
        });
        announce(settings);
        while (!stopped) {
            try {
                for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(50))) {
                    received(record, journal);
                }
            } catch (KafkaException error) {
                journal.notice("e", inWords(error));
                try {
                    TimeUnit.MILLISECONDS.sleep(50);
                } catch (InterruptedException interrupted) {
                    Thread.currentThread().interrupt();
                    break;
                }
            }
            journal.tick();
        }
        consumer.close(Duration.ofMillis(FINISH_MS / 2));
    }

    private static void received(ConsumerRecord<byte[], byte[]> record, Journal journal) {
        String place = record.topic() + " " + record.partition() + " " + record.offset();
        Header number = record.headers().lastHeader("n");
        if (number == null) {
            journal.notice("e", "UNNUMBERED " + place);
        } else {
            String n = new String(number.value(), StandardCharsets.UTF_8);
            journal.write("r " + n + " " + place + " " + now());
        }
    }
}
