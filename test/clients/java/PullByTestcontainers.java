import org.testcontainers.images.RemoteDockerImage;
import org.testcontainers.utility.DockerImageName;

/** Pulls an image as a test does that names it, with the login that testcontainers finds by itself. */
public class PullByTestcontainers {
  public static void main(String[] arguments) throws Exception {
    System.out.println(new RemoteDockerImage(DockerImageName.parse(arguments[0])).get());
  }
}
