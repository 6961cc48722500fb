import de.bwaldvogel.mongo.MongoServer;
import de.bwaldvogel.mongo.MongoVersion;
import de.bwaldvogel.mongo.backend.CursorRegistry;
import de.bwaldvogel.mongo.backend.Index;
import de.bwaldvogel.mongo.backend.IndexKey;
import de.bwaldvogel.mongo.backend.memory.MemoryBackend;
import de.bwaldvogel.mongo.backend.memory.MemoryDatabase;
import de.bwaldvogel.mongo.backend.memory.index.MemoryUniqueIndex;
import de.bwaldvogel.mongo.bson.Document;
import java.util.List;

/** Serves MongoDB's protocol on the loopback port given as the first argument. */
public class MongoMain {
    /** The library's newest version speaks wire version 8, below what PyMongo takes; for what is asked here both do. */
    private static class Announced implements MongoVersion {
        public List<Integer> getVersionArray() {
            return List.of(5, 0, 0);
        }

        public int getWireVersion() {
            return 13;
        }
    }

    /**
     * Uses a unique index for queries that have conditions beside its keys. The library reads the whole collection for
     * those, so that an update by _id under a condition would take a thousand times what it takes on MongoDB.
     */
    private static class LeadingIndex extends MemoryUniqueIndex {
        LeadingIndex(String name, List<IndexKey> keys, boolean sparse) {
            super(name, keys, sparse);
        }

        @Override
        public synchronized boolean canHandle(Document query) {
            return super.canHandle(onItsKeys(query));
        }

        @Override
        public synchronized Iterable<Integer> getPositions(Document query) {
            return super.getPositions(onItsKeys(query));
        }

        private Document onItsKeys(Document query) {
            Document part = new Document();
            keys().stream().filter(query::containsKey).forEach(key -> part.put(key, query.get(key)));
            return part;
        }
    }

    private static class Database extends MemoryDatabase {
        Database(String name, CursorRegistry cursors) {
            super(name, cursors);
        }

        @Override
        protected Index<Integer> openOrCreateUniqueIndex(
                String collection, String name, List<IndexKey> keys, boolean sparse) {
            return new LeadingIndex(name, keys, sparse);
        }
    }

    private static class Backend extends MemoryBackend {
        @Override
        public MemoryDatabase openOrCreateDatabase(String name) {
            return new Database(name, getCursorRegistry());
        }
    }

    public static void main(String[] arguments) {
        new MongoServer(new Backend().version(new Announced())).bind("127.0.0.1", Integer.parseInt(arguments[0]));
    }
}
